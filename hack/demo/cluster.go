package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/test/testenv/controlplane"
)

// clusterPatience bounds the start of the control plane.
const clusterPatience = 3 * time.Minute

// openCluster starts a control plane, or takes the one that KUBECONFIG names.
func (d *demo) openCluster(ctx context.Context) error {
	kubeconfig := d.givenKubeconfig
	if kubeconfig == "" {
		if err := d.account.timed(func() (string, error) { return d.startControlPlane(ctx) }); err != nil {
			return err
		}
		kubeconfig = d.plane.Kubeconfig
	}
	config, err := d.writeKubeconfigs(kubeconfig)
	if err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	if d.givenKubeconfig != "" {
		d.tellAboutGivenCluster(config)
	}
	return nil
}

func (d *demo) startControlPlane(ctx context.Context) (told string, err error) {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	d.plane, err = controlplane.Start(ctx, controlplane.Config{
		Tools:             d.tools,
		Dir:               d.folder.controlPlane(),
		APIServerPort:     apiServerPort,
		CertManagerPort:   certManagerPort,
		CRDs:              []string{filepath.Join("config", "crd", "bases")},
		ControllerManager: true,
		CertManager:       true,
	})
	if err != nil {
		return "", err
	}
	go func() {
		if failure, failed := <-d.plane.Failed(); failed {
			d.fail(failure)
		}
	}()
	return "etcd, kube-apiserver, kube-controller-manager and cert-manager answer", nil
}

// operatorUser is the service account that config/rbac gives its rights to.
const operatorUser = "system:serviceaccount:" + operatorNamespace + ":" + namePrefix + "operator"

// writeKubeconfigs writes two that stand alone: the administrator's, and the
// operator's, which has the rights of its service account and no other.
func (d *demo) writeKubeconfigs(source string) (*clientcmdapi.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(source)}
	config, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG %s: %w", source, err)
	}
	if err := errors.Join(clientcmdapi.MinifyConfig(config), clientcmdapi.FlattenConfig(config)); err != nil {
		return nil, fmt.Errorf("read KUBECONFIG %s: %w", source, err)
	}
	if err := clientcmd.WriteToFile(*config, d.folder.kubeconfig("admin")); err != nil {
		return nil, fmt.Errorf("write the administrator's kubeconfig: %w", err)
	}
	operators := config.DeepCopy()
	for _, user := range operators.AuthInfos {
		user.Impersonate = operatorUser
	}
	if err := clientcmd.WriteToFile(*operators, d.folder.kubeconfig("operator")); err != nil {
		return nil, fmt.Errorf("write the operator's kubeconfig: %w", err)
	}
	return config, nil
}

// connect makes the client, and learns which cluster this is.
func (d *demo) connect(ctx context.Context) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), cmv1.AddToScheme(scheme)); err != nil {
		return fmt.Errorf("set up the Kubernetes client: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", d.folder.kubeconfig("admin"))
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	if d.kube, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	namespace := &corev1.Namespace{}
	if err := d.kube.Get(ctx, client.ObjectKey{Name: "kube-system"}, namespace); err != nil {
		return fmt.Errorf("ask the cluster who it is: %w", err)
	}
	d.clusterUID = string(namespace.UID)
	return nil
}

func (d *demo) tellAboutGivenCluster(config *clientcmdapi.Config) {
	for _, cluster := range config.Clusters {
		d.account.line("the cluster of KUBECONFIG: %s", cluster.Server)
	}
	d.account.line("it needs cert-manager, and its API server must reach the operator's webhook at %s on this machine", d.webhookURL(""))
	d.account.line("(make the address another with go run ./hack/demo --webhook-address IP)")
}

// webhookURL is where the API server finds the webhook.
func (d *demo) webhookURL(path string) string {
	return (&url.URL{Scheme: "https", Host: fmt.Sprintf("%s:%d", d.webhookAddress, webhookPort), Path: path}).String()
}
