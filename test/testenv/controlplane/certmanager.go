package controlplane

import (
	"context"
	"fmt"
	"strconv"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	admissionregistration "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	core "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
)

// certManagerNamespace holds cert-manager's own Secrets and those of ClusterIssuers.
const certManagerNamespace = "cert-manager"

// startCertManager starts cert-manager's controllers, CA injector and webhook.
// The returned function waits until they work.
func (c *ControlPlane) startCertManager(ctx context.Context) (func(context.Context) error, error) {
	kubeconfig, err := c.writeKubeconfig("cert-manager", "cert-manager", administrators)
	if err != nil {
		return nil, err
	}
	if err := c.applyCertManagerObjects(ctx); err != nil {
		return nil, err
	}
	p, err := c.run("cert-manager",
		"--kubeconfig="+kubeconfig,
		"--namespace="+certManagerNamespace,
		"--webhook-port="+strconv.Itoa(c.config.CertManagerPort),
	)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error { return p.AwaitReady(ctx, c.tryIssuer) }, nil
}

// applyCertManagerObjects applies what cert-manager expects to find: its
// namespace and the configurations that send its objects to its webhook.
func (c *ControlPlane) applyCertManagerObjects(ctx context.Context) error {
	options := metav1.ApplyOptions{FieldManager: "controlplane", Force: true}
	if _, err := c.kube.CoreV1().Namespaces().Apply(ctx, core.Namespace(certManagerNamespace), options); err != nil {
		return fmt.Errorf("apply namespace %s: %w", certManagerNamespace, err)
	}
	webhooks := c.kube.AdmissionregistrationV1()
	if _, err := webhooks.ValidatingWebhookConfigurations().Apply(ctx, c.validatingWebhook(), options); err != nil {
		return fmt.Errorf("apply cert-manager's validating webhook: %w", err)
	}
	if _, err := webhooks.MutatingWebhookConfigurations().Apply(ctx, c.mutatingWebhook(), options); err != nil {
		return fmt.Errorf("apply cert-manager's mutating webhook: %w", err)
	}
	return nil
}

const certManagerWebhookName = "webhook.cert-manager.io"

var issuerResource = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "issuers"}

// caInjection makes cert-manager's CA injector fill in the webhook's CA.
var caInjection = map[string]string{"cert-manager.io/inject-ca-from-secret": certManagerNamespace + "/cert-manager-webhook-ca"}

func (c *ControlPlane) validatingWebhook() *admissionregistration.ValidatingWebhookConfigurationApplyConfiguration {
	rule := admissionregistration.RuleWithOperations().
		WithOperations(admissionregistrationv1.Create, admissionregistrationv1.Update).
		WithAPIGroups("cert-manager.io", "acme.cert-manager.io").WithAPIVersions("v1").WithResources("*/*")
	return admissionregistration.ValidatingWebhookConfiguration("cert-manager-webhook").
		WithAnnotations(caInjection).
		WithWebhooks(admissionregistration.ValidatingWebhook().
			WithName(certManagerWebhookName).
			WithRules(rule).
			WithAdmissionReviewVersions("v1").
			WithFailurePolicy(admissionregistrationv1.Fail).
			WithSideEffects(admissionregistrationv1.SideEffectClassNone).
			WithClientConfig(c.webhookAt("validate")))
}

// mutatingWebhook notes in a CertificateRequest who made it.
func (c *ControlPlane) mutatingWebhook() *admissionregistration.MutatingWebhookConfigurationApplyConfiguration {
	rule := admissionregistration.RuleWithOperations().
		WithOperations(admissionregistrationv1.Create).
		WithAPIGroups("cert-manager.io").WithAPIVersions("v1").WithResources("certificaterequests")
	return admissionregistration.MutatingWebhookConfiguration("cert-manager-webhook").
		WithAnnotations(caInjection).
		WithWebhooks(admissionregistration.MutatingWebhook().
			WithName(certManagerWebhookName).
			WithRules(rule).
			WithAdmissionReviewVersions("v1").
			WithFailurePolicy(admissionregistrationv1.Fail).
			WithSideEffects(admissionregistrationv1.SideEffectClassNone).
			WithClientConfig(c.webhookAt("mutate")))
}

// webhookAt names the webhook localhost, since cert-manager issues the webhook's
// certificate for names only.
func (c *ControlPlane) webhookAt(path string) *admissionregistration.WebhookClientConfigApplyConfiguration {
	return admissionregistration.WebhookClientConfig().
		WithURL(fmt.Sprintf("https://localhost:%d/%s", c.config.CertManagerPort, path))
}

// tryIssuer asks for an Issuer in a dry run. Without cert-manager's webhook,
// and the CA that its injector sets, the API server refuses it.
func (c *ControlPlane) tryIssuer(ctx context.Context) error {
	client, err := dynamic.NewForConfig(c.RESTConfig)
	if err != nil {
		return fmt.Errorf("create the dynamic client: %w", err)
	}
	issuer := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1",
		"kind":       "Issuer",
		"metadata":   map[string]any{"generateName": "probe-"},
		"spec":       map[string]any{"selfSigned": map[string]any{}},
	}}
	issuers := client.Resource(issuerResource).Namespace(metav1.NamespaceDefault)
	_, err = issuers.Create(ctx, issuer, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}
