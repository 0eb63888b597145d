package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	webhookserver "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/controllers"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv"
	"github.com/fapi-operator/fapi-operator/webhook"
)

const installation = "integration"

// patience bounds every wait for a process outside of this one.
const patience = time.Minute

// bank is a namespace with an operator of its own and a server.
type bank struct {
	*testenv.Environment
	kube      client.Client
	namespace string
	server    *server
	resync    time.Duration
	// serverClass is the class that is served; empty for applications without one.
	serverClass string
	// selected are the labels of the namespaces that are served; nil for all.
	selected map[string]string
	// neighbor is another namespace that is watched; empty for none.
	neighbor string
	// registrar registers at another server than that one; nil at that one.
	registrar controllers.Registrar
	replicas  *controllers.Replicas // nil where nobody asks them
	// serverCAFile holds whom clients trust; empty for their system's authorities.
	serverCAFile string

	webhookPort int
	webhookCA   []byte
	webhookDir  string
	stop        func()
	// requests are those of the operator to the API server.
	requests requestLog
	// cache is what the operator watches; nil until it has started.
	cache client.Reader
}

// openBank starts a server and an operator with its webhook for a new namespace.
func openBank(t *testing.T) *bank {
	t.Helper()
	b := openBranch(t, fapi.Limits{})
	b.startOperator(t)
	return b
}

// openComparingBank is a bank whose operator compares everything with the server
// every second.
func openComparingBank(t *testing.T) *bank {
	t.Helper()
	b := openBranch(t, fapi.Limits{})
	b.resync = time.Second
	b.startOperator(t)
	return b
}

// openBranch is a bank whose operator is not running yet.
func openBranch(t *testing.T, limits fapi.Limits) *bank {
	t.Helper()
	environment := testenv.Start(t)
	kube, err := client.New(environment.Config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{
		Environment: environment,
		kube:        kube,
		namespace:   environment.Namespace(t),
		server:      startServer(t, limits),
		resync:      time.Hour,
		stop:        func() {},
	}
	authority := testca.New(t, "webhook CA", time.Now())
	b.webhookCA, b.webhookDir = authority.PEM(), t.TempDir()
	authority.Server(t).Write(t, b.webhookDir)
	t.Cleanup(func() { b.stop() })
	return b
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), cmv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return scheme
}

// startOperator runs the real webhook and the real reconciler for the namespace.
func (b *bank) startOperator(t *testing.T) {
	t.Helper()
	b.webhookPort = fapitest.FreePort(t)
	manager := b.newManager(t)
	b.cache = manager.GetClient()
	policies := func(ctx context.Context) ([]v1alpha1.FAPIPolicy, error) {
		return controllers.Policies(ctx, manager.GetClient())
	}
	if err := (&webhook.Validator{ServerClassName: b.serverClass, Installation: installation, Policies: policies}).SetupWithManager(manager); err != nil {
		t.Fatal(err)
	}
	if err := b.newReconciler(t, manager).SetupWithManager(t.Context(), manager); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended: %v", err)
		}
		b.stop = func() {}
	}
	b.eventually(t, "the webhook listens", func(context.Context) error { return manager.GetWebhookServer().StartedChecker()(nil) })
	b.installWebhook(t)
}

func (b *bank) newManager(t *testing.T) ctrl.Manager {
	t.Helper()
	watched := map[string]cache.Config{b.namespace: {}}
	if b.neighbor != "" {
		watched[b.neighbor] = cache.Config{}
	}
	manager, err := ctrl.NewManager(b.asOperator(t), ctrl.Options{
		Scheme: scheme(t),
		Cache: cache.Options{
			ByObject:          map[client.Object]cache.ByObject{&corev1.Secret{}: controllers.LabeledSecrets()},
			DefaultNamespaces: watched,
		},
		Metrics:       metricsserver.Options{BindAddress: "0"},
		Controller:    ctrlconfig.Controller{SkipNameValidation: new(true)},
		WebhookServer: webhookserver.NewServer(webhookserver.Options{Host: "127.0.0.1", Port: b.webhookPort, CertDir: b.webhookDir}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return manager
}

// asOperator has the rights of the generated ClusterRole, those of the generated
// Role in the bank's namespace, and no other.
func (b *bank) asOperator(t *testing.T) *rest.Config {
	t.Helper()
	everywhere, here := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	first, second, _ := strings.Cut(strings.TrimPrefix(string(readFile(t, root, "config", "rbac", "role.yaml")), "---\n"), "\n---\n")
	if err := errors.Join(yaml.UnmarshalStrict([]byte(first), everywhere), yaml.UnmarshalStrict([]byte(second), here)); err != nil {
		t.Fatal(err)
	}
	if b.selected != nil {
		// As the chart adds it.
		everywhere.Rules = append(everywhere.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "list", "watch"}})
	}
	// As the chart adds it where namespaces are listed.
	everywhere.Rules = append(everywhere.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{b.namespace}, Verbs: []string{"get"}})
	user := b.operatorUser()
	everywhere.Name, here.Name, here.Namespace = user, user, b.namespace
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	for _, object := range []client.Object{
		everywhere, here,
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: everywhere.ObjectMeta, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: here.ObjectMeta, Subjects: subjects,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		},
	} {
		if err := b.kube.Create(t.Context(), object); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	config := rest.CopyConfig(b.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return logging{next, &b.requests} })
	return config
}

func (b *bank) operatorUser() string { return "operator-of-" + b.namespace }

// loseRightsOn takes those from the operator's ClusterRole that the chart grants by a
// Role where namespaces are listed.
func (b *bank) loseRightsOn(t *testing.T, resource string) {
	t.Helper()
	role := &rbacv1.ClusterRole{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Name: b.operatorUser()}, role); err != nil {
		t.Fatal(err)
	}
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, resource) })
	if err := b.kube.Update(t.Context(), role); err != nil {
		t.Fatal(err)
	}
}

// requestLog remembers requests by their method and address.
type requestLog struct {
	mutex    sync.Mutex
	requests []string
}

func (l *requestLog) add(r *http.Request) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.requests = append(l.requests, r.Method+" "+r.URL.RequestURI())
}

// since are the requests after the first so many.
func (l *requestLog) since(count int) []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.requests[count:])
}

// logging lets requests pass, and remembers them.
type logging struct {
	http.RoundTripper
	log *requestLog
}

func (l logging) RoundTrip(r *http.Request) (*http.Response, error) {
	l.log.add(r)
	return l.RoundTripper.RoundTrip(r)
}

func (b *bank) newReconciler(t *testing.T, manager ctrl.Manager) *controllers.Reconciler {
	t.Helper()
	if b.registrar == nil {
		server, err := registrar.New(b.server.registrar)
		if err != nil {
			t.Fatal(err)
		}
		b.registrar = server
	}
	reconciler := &controllers.Reconciler{
		Kube:            manager.GetClient(),
		Uncached:        manager.GetAPIReader(),
		Events:          manager.GetEventRecorder("fapi-operator.io/operator"),
		Registrar:       b.registrar,
		Replicas:        b.replicas,
		ServerCAFile:    b.serverCAFile,
		Installation:    installation,
		ServerClassName: b.serverClass,
		Resync:          b.resync,
		Now:             time.Now,
	}
	if b.selected != nil {
		reconciler.NamespaceSelector = labels.SelectorFromSet(b.selected)
	}
	return reconciler
}

// installWebhook applies the generated configuration, for this namespace alone
// and with the address of this process.
func (b *bank) installWebhook(t *testing.T) {
	t.Helper()
	document := readFile(t, root, "config", "webhook", "manifests.yaml")
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict(document, configuration); err != nil {
		t.Fatal(err)
	}
	configuration.Name = "integration-" + b.namespace
	for i := range configuration.Webhooks {
		hook := &configuration.Webhooks[i]
		url := fmt.Sprintf("https://127.0.0.1:%d%s", b.webhookPort, *hook.ClientConfig.Service.Path)
		hook.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: b.webhookCA}
		hook.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": b.namespace}}
		maps.Copy(hook.NamespaceSelector.MatchLabels, b.selected)
	}
	b.uninstallWebhook(t, configuration.Name)
	if err := b.kube.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.uninstallWebhook(t, configuration.Name) })
	b.eventually(t, "the API server asks the webhook", func(ctx context.Context) error {
		refused := b.application("probe", `{grantTypes: [password], clientAuthentication: {method: none}}`)
		if err := b.kube.Create(ctx, refused, client.DryRunAll); !apierrors.IsInvalid(err) {
			return errors.Join(errors.New("an application that is not FAPI was not refused by its rules"), err)
		}
		return nil
	})
}

func (b *bank) uninstallWebhook(t *testing.T, name string) {
	t.Helper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := client.IgnoreNotFound(b.kube.Delete(context.Background(), configuration)); err != nil {
		t.Errorf("delete webhook configuration %s: %v", name, err)
	}
}

// eventually asks a process outside of this one until what is expected holds.
func (b *bank) eventually(t *testing.T, expectation string, holds func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		last = holds(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %v: %v", expectation, patience, last)
	}
}
