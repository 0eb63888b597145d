package main

import (
	"fmt"
	"time"

	acmeinstall "github.com/cert-manager/cert-manager/internal/apis/acme/install"
	cminstall "github.com/cert-manager/cert-manager/internal/apis/certmanager/install"
	metainstall "github.com/cert-manager/cert-manager/internal/apis/meta/install"
	"github.com/cert-manager/cert-manager/internal/webhook/admission/certificaterequest/approval"
	"github.com/cert-manager/cert-manager/internal/webhook/admission/certificaterequest/identity"
	"github.com/cert-manager/cert-manager/internal/webhook/admission/resourcevalidation"
	_ "github.com/cert-manager/cert-manager/internal/webhook/feature" // registers the gates that validation asks for
	servingtls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	"github.com/cert-manager/cert-manager/pkg/webhook/admission"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
)

// caSecretName is the Secret in which the webhook keeps its CA. A webhook
// configuration names it in the annotation cert-manager.io/inject-ca-from-secret.
const caSecretName = "cert-manager-webhook-ca"

// servingCertificate issues and renews the webhook's certificate for localhost
// from a CA that it keeps in a Secret.
func servingCertificate(cluster *rest.Config, namespace string) *servingtls.DynamicSource {
	return &servingtls.DynamicSource{
		DNSNames: []string{"localhost"},
		Authority: &authority.DynamicAuthority{
			SecretNamespace: namespace,
			SecretName:      caSecretName,
			RESTConfig:      cluster,
		},
	}
}

// registerWebhook serves cert-manager's admission rules at /validate and /mutate.
func registerWebhook(mgr ctrl.Manager, cluster *rest.Config) error {
	rules, err := admissionRules(cluster)
	if err != nil {
		return err
	}
	// The rules judge cert-manager's internal types, which only this scheme knows.
	scheme := runtime.NewScheme()
	cminstall.Install(scheme)
	acmeinstall.Install(scheme)
	metainstall.Install(scheme)
	mgr.GetWebhookServer().Register("/validate", admission.NewCustomValidationWebhook(scheme, rules))
	mgr.GetWebhookServer().Register("/mutate", admission.NewCustomMutationWebhook(rules))
	return nil
}

func admissionRules(cluster *rest.Config) (admission.PluginChain, error) {
	kube, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return nil, fmt.Errorf("create the Kubernetes client: %w", err)
	}
	authorizer, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: kube.AuthorizationV1(),
		AllowCacheTTL:             time.Second,
		DenyCacheTTL:              time.Second,
		WebhookRetryBackoff:       &wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 2, Cap: 5 * time.Second},
	}.New()
	if err != nil {
		return nil, fmt.Errorf("create the authorizer: %w", err)
	}
	return admission.PluginChain{
		identity.NewPlugin(),
		approval.NewPlugin(authorizer, kube.Discovery()),
		resourcevalidation.NewPlugin(),
	}, nil
}
