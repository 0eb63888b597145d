// Command operator registers FAPIApplications at an authorization server, and
// refuses those that are not FAPI when they are applied.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	webhookserver "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/controllers"
	"github.com/fapi-operator/fapi-operator/version"
	"github.com/fapi-operator/fapi-operator/webhook"
)

// eventSource names the operator in events.
const eventSource = "fapi-operator.io/operator"

// reportInterval is how often the authorization server's replicas are asked what
// they serve, when nothing is known to have changed; our own choice.
const reportInterval = 30 * time.Second

// The public path is tried seldom while it is good, and often while somebody may
// be mending it; our own choices.
const (
	selfTestInterval = 5 * time.Minute
	selfTestRetry    = 15 * time.Second
)

func main() {
	settings, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(2)
	case settings.version:
		fmt.Println(version.Line("operator"))
		return
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: settings.logLevel})))
	if err := run(ctrl.SetupSignalHandler(), settings); err != nil {
		ctrl.Log.Error(err, "the program ends")
		os.Exit(1)
	}
}

// run works until ctx ends, and gives what is at work time to finish.
func run(ctx context.Context, settings settings) error {
	if settings.letGo != nil {
		return letGoOfAll(ctx, settings)
	}
	manager, err := newManager(settings)
	if err != nil {
		return err
	}
	if settings.installation, err = settings.installationID(ctx, manager.GetAPIReader()); err != nil {
		return err
	}
	if err := addWebhook(manager, settings); err != nil {
		return err
	}
	server, err := registrar.New(settings.registrar)
	if err != nil {
		return fmt.Errorf("set up the registrar: %w", err)
	}
	var replicas *controllers.Replicas
	if settings.fapiServer != "" {
		replicas = controllers.NewReplicas(manager.GetClient(), server, types.NamespacedName(settings.privateService))
	}
	if err := addReconciler(ctx, manager, server, replicas, settings); err != nil {
		return err
	}
	if err := addServerReport(manager, replicas, settings); err != nil {
		return err
	}
	if err := addKeyEncryptionKey(manager, settings); err != nil {
		return err
	}
	return manager.Start(ctx)
}

// cluster is where the program works, and the kinds of objects that it knows there.
func cluster() (*rest.Config, *runtime.Scheme, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("find the cluster; set KUBECONFIG outside of one: %w", err)
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), cmv1.AddToScheme(scheme)))
	return config, scheme, nil
}

func newManager(settings settings) (ctrl.Manager, error) {
	config, scheme, err := cluster()
	if err != nil {
		return nil, err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			ByObject:          settings.byObject(),
			DefaultNamespaces: settings.namespaces.cacheConfig(),
			DefaultTransform:  cache.TransformStripManagedFields(),
		},
		Metrics:                       metricsserver.Options{BindAddress: settings.metricsAddress},
		HealthProbeBindAddress:        settings.probeAddress,
		LeaderElection:                settings.leaderElection,
		LeaderElectionID:              "fapi-operator." + v1alpha1.GroupVersion.Group + settings.shard.LeaseSuffix(),
		LeaderElectionNamespace:       settings.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		WebhookServer:                 webhookserver.NewServer(settings.webhook),
	})
	switch {
	case err != nil && settings.leaderElection && settings.leaderElectionNamespace == "":
		return nil, fmt.Errorf("create the manager: %w; outside of a cluster, state --leader-election-namespace, or --leader-elect=false for an operator that is alone", err)
	case err != nil:
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	return manager, nil
}

// addWebhook serves admission from every replica, leader or not, and is ready
// once it does.
func addWebhook(manager ctrl.Manager, settings settings) error {
	policies := func(ctx context.Context) ([]v1alpha1.FAPIPolicy, error) {
		return controllers.Policies(ctx, manager.GetClient())
	}
	validator := &webhook.Validator{ServerClassName: settings.serverClass, Installation: settings.installation, Limits: settings.limits, Policies: policies}
	if err := validator.SetupWithManager(manager); err != nil {
		return fmt.Errorf("set up the webhook: %w", err)
	}
	return errors.Join(
		manager.AddHealthzCheck("ping", healthz.Ping),
		manager.AddReadyzCheck("webhook", manager.GetWebhookServer().StartedChecker()),
		manager.AddReadyzCheck("policies", func(r *http.Request) error {
			_, err := policies(r.Context())
			return err
		}),
		addAdmissionTrust(manager, settings),
	)
}

// addAdmissionTrust makes readiness wait for the API server's trust, so that the
// first application after an installation is judged by its rules.
func addAdmissionTrust(manager ctrl.Manager, settings settings) error {
	if settings.webhookConfiguration == "" {
		return nil
	}
	trust := &controllers.AdmissionTrust{
		Kube:            manager.GetAPIReader(),
		Configuration:   settings.webhookConfiguration,
		CertificateFile: filepath.Join(settings.webhook.CertDir, "tls.crt"),
		KeyFile:         filepath.Join(settings.webhook.CertDir, "tls.key"),
	}
	return manager.AddReadyzCheck("admission", trust.Check)
}

func addReconciler(ctx context.Context, manager ctrl.Manager, server *registrar.Registrar, replicas *controllers.Replicas, settings settings) error {
	reconciler := &controllers.Reconciler{
		Kube:              manager.GetClient(),
		Uncached:          manager.GetAPIReader(),
		Events:            manager.GetEventRecorder(eventSource),
		Registrar:         server,
		Replicas:          replicas,
		ServerCAFile:      settings.selfTestCAFile,
		Installation:      settings.installation,
		Shard:             settings.shard,
		Limits:            settings.limits,
		ServerClassName:   settings.serverClass,
		NamespaceSelector: settings.namespaceSelector,
		Resync:            settings.resync,
		Now:               time.Now,
	}
	if err := reconciler.SetupWithManager(ctx, manager); err != nil {
		return fmt.Errorf("set up the reconciler: %w", err)
	}
	return metrics.Registry.Register(&controllers.ApplicationCounts{Reconciler: reconciler})
}

// addServerReport has the leader report on the authorization server's replicas,
// where a FAPIServer for it is named.
func addServerReport(manager ctrl.Manager, replicas *controllers.Replicas, settings settings) error {
	if replicas == nil {
		return nil
	}
	report := &controllers.ServerReport{
		Kube:     manager.GetClient(),
		Uncached: manager.GetAPIReader(),
		Replicas: replicas,
		Name:     settings.fapiServer,
		Release:  settings.webhookConfiguration,
		Every:    reportInterval,
		Now:      time.Now,
	}
	if err := report.SetupWithManager(manager); err != nil {
		return fmt.Errorf("set up the report on the server: %w", err)
	}
	return addSelfTest(manager, settings)
}

// addSelfTest has the leader try the path that clients with a certificate take.
func addSelfTest(manager ctrl.Manager, settings settings) error {
	if !settings.selfTest || !settings.shard.IsFirst() {
		return nil
	}
	test := &controllers.SelfTest{
		Kube:     manager.GetClient(),
		Uncached: manager.GetAPIReader(),
		Name:     settings.fapiServer,
		Path:     controllers.PublicPath{CAFile: settings.selfTestCAFile, Now: time.Now},
		Every:    selfTestInterval,
		Retry:    selfTestRetry,
	}
	if err := test.SetupWithManager(manager); err != nil {
		return fmt.Errorf("set up the self-test: %w", err)
	}
	return nil
}

// byObject says of which objects the cache does not hold all.
func (s settings) byObject() map[client.Object]cache.ByObject {
	kinds := map[client.Object]cache.ByObject{&corev1.Secret{}: controllers.LabeledSecrets()}
	if s.privateService.Name != "" {
		kinds[&discoveryv1.EndpointSlice{}] = s.endpointSlices()
	}
	return kinds
}

// endpointSlices are those of the private Service alone, whatever namespaces the
// cache holds else: a Role in that namespace is enough.
func (s settings) endpointSlices() cache.ByObject {
	ofTheService := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: s.privateService.Name})
	return cache.ByObject{Namespaces: map[string]cache.Config{s.privateService.Namespace: {LabelSelector: ofTheService}}}
}

// addKeyEncryptionKey has the leader make the authorization server's
// key-encryption key, where a Secret for it is named.
func addKeyEncryptionKey(manager ctrl.Manager, settings settings) error {
	if settings.keyEncryptionKey.Name == "" {
		return nil
	}
	return manager.Add(&controllers.KeyEncryptionKey{
		Kube: manager.GetClient(), Secret: types.NamespacedName(settings.keyEncryptionKey), Log: manager.GetLogger(),
	})
}

// installationID is the stated one, or the UID of namespace kube-system, which
// stays as long as the cluster.
func (s settings) installationID(ctx context.Context, kube client.Reader) (string, error) {
	if s.installation != "" {
		return s.installation, nil
	}
	namespace := &corev1.Namespace{}
	if err := kube.Get(ctx, client.ObjectKey{Name: "kube-system"}, namespace); err != nil {
		return "", fmt.Errorf("read the UID of namespace kube-system for an installation identifier; state --installation instead: %w", err)
	}
	return string(namespace.UID), nil
}
