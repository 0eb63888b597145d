package integration

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/controllers"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// privateService is the name of the private Service.
const privateService = "authserver-private"

// pods are replicas of the real server, each with an address of its own.
type pods struct {
	asker *registrar.Registrar

	mutex sync.Mutex
	leads map[string]string // the listener on loopback, by the pod's address
	asked int
	// on is told when a pod is about to be asked, and when it has answered.
	on func(address, event string)
}

var keyAndMTLS = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT}

// podPort is where every pod's private listener is.
const podPort = 8445

// ServerAt is the pod network: an EndpointSlice takes no address of the loopback
// interface, and the servers of tests have no other.
func (p *pods) ServerAt(ctx context.Context, address string) (registration.Replica, error) {
	p.mutex.Lock()
	p.asked++
	listener, on := p.leads[address], p.on
	p.mutex.Unlock()
	on(address, "asked")
	defer on(address, "answered")
	return p.asker.ServerAt(ctx, listener)
}

func (p *pods) observe(on func(address, event string)) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.on = on
}

func (p *pods) questions() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.asked
}

// installed is a namespace with pods behind a private Service, and a report on them.
type installed struct {
	*bank
	pods   *pods
	writes atomic.Int64 // of the report, at the API server
}

// runPods makes the servers pods of a new installation, and reports on them.
func runPods(t *testing.T, every time.Duration, servers ...*fapitest.Server) *installed {
	t.Helper()
	i := &installed{bank: openBranch(t, fapi.Limits{}), pods: &pods{asker: servers[0].Registrar, leads: map[string]string{}, on: func(string, string) {}}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: i.namespace, Name: privateService + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: privateService},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(podPort))}},
	}
	for n, server := range servers {
		i.pods.leads[podAddress(n)] = server.Listeners().Private
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{podIP(n)}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: podName(n), Namespace: i.namespace},
		})
	}
	if err := i.kube.Create(t.Context(), slice); err != nil {
		t.Fatal(err)
	}
	i.startReport(t, every)
	return i
}

func podName(n int) string    { return fmt.Sprintf("authserver-%d", n) }
func podIP(n int) string      { return fmt.Sprintf("192.0.2.%d", n+1) }
func podAddress(n int) string { return fmt.Sprintf("%s:%d", podIP(n), podPort) }

// setReady changes whether the Service leads to the pod.
func (i *installed) setReady(t *testing.T, n int, ready bool) {
	t.Helper()
	slice := &discoveryv1.EndpointSlice{}
	if err := i.kube.Get(t.Context(), client.ObjectKey{Namespace: i.namespace, Name: privateService + "-1"}, slice); err != nil {
		t.Fatal(err)
	}
	slice.Endpoints[n].Conditions.Ready = &ready
	if err := i.kube.Update(t.Context(), slice); err != nil {
		t.Fatal(err)
	}
}

// startReport runs the report with the operator's rights, and counts its writes.
func (i *installed) startReport(t *testing.T, every time.Duration) {
	t.Helper()
	config := i.asOperator(t)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &writeCounter{next, &i.writes} })
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:     scheme(t),
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{i.namespace: {}}},
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	i.replicas = controllers.NewReplicas(manager.GetClient(), i.pods, types.NamespacedName{Namespace: i.namespace, Name: privateService})
	release := i.createRelease(t)
	report := &controllers.ServerReport{
		Kube: manager.GetClient(), Uncached: manager.GetAPIReader(), Replicas: i.replicas,
		Name: i.namespace, Release: release, Every: every, Now: time.Now,
	}
	if err := report.SetupWithManager(manager); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the report ended: %v", err)
		}
	})
}

// createRelease makes the webhook configuration of a release, without webhooks.
func (i *installed) createRelease(t *testing.T) string {
	t.Helper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "release-of-" + i.namespace}}
	if err := i.kube.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.uninstallWebhook(t, configuration.Name) })
	return configuration.Name
}

type writeCounter struct {
	next   http.RoundTripper
	writes *atomic.Int64
}

func (c *writeCounter) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		c.writes.Add(1)
	}
	return c.next.RoundTrip(request)
}

// awaitReport waits until the condition has the reason.
func (b *bank) awaitReport(t *testing.T, condition, reason string) *v1alpha1.FAPIServer {
	t.Helper()
	return b.awaitReportWhere(t, condition+" by "+reason, func(server *v1alpha1.FAPIServer) bool {
		found := meta.FindStatusCondition(server.Status.Conditions, condition)
		return found != nil && found.Reason == reason
	})
}

func (b *bank) awaitReportWhere(t *testing.T, what string, holds func(*v1alpha1.FAPIServer) bool) *v1alpha1.FAPIServer {
	t.Helper()
	server := &v1alpha1.FAPIServer{}
	b.eventually(t, "the report says: "+what, func(ctx context.Context) error {
		if err := b.kube.Get(ctx, client.ObjectKey{Name: b.namespace}, server); err != nil {
			return err
		}
		if !holds(server) {
			return fmt.Errorf("its status is %+v", server.Status)
		}
		return nil
	})
	return server
}

// awaitQuestions waits until the replicas have been asked n times more.
func (i *installed) awaitQuestions(t *testing.T, n int) {
	t.Helper()
	seen := i.pods.questions()
	i.eventually(t, "the replicas are asked", func(context.Context) error {
		if got := i.pods.questions() - seen; got < n {
			return fmt.Errorf("%d times so far", got)
		}
		return nil
	})
}

func TestTheReportTellsWhatEveryReplicaServes(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	i := runPods(t, 100*time.Millisecond, here, here.StartReplica(t))
	server := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	status := server.Status
	if status.Issuer != here.Issuer || status.MTLSBaseURL != here.MTLSBaseURL || status.ReadyReplicas != 2 || len(status.Replicas) != 2 {
		t.Fatalf("the status is %+v", status)
	}
	for n, replica := range status.Replicas {
		if replica.Name != podName(n) || replica.Address != podAddress(n) || replica.Version == "" ||
			replica.SchemaVersion < 1 || replica.Revision == nil || replica.Message != "" {
			t.Errorf("replica %d is %+v", n, replica)
		}
	}
	if !slices.ContainsFunc(status.Keys, func(key v1alpha1.ServerKeyStatus) bool {
		return key.Algorithm == "PS256" && key.State == "current" && key.KeyID != ""
	}) || status.NextKeyAt == nil || !status.NextKeyAt.After(status.Keys[0].CreatedAt.Time) {
		t.Errorf("the keys are %+v, and the next one comes at %v", status.Keys, status.NextKeyAt)
	}
	if columns := i.Kubectl(t, "get", "fapiserver", i.namespace); !strings.Contains(columns, here.Issuer) || !strings.Contains(columns, "True") {
		t.Errorf("kubectl get prints:\n%s", columns)
	}

	before, _ := i.replicas.ServedRevision()
	here.Register(t, "bank.shop", keyAndMTLS)
	i.awaitReportWhere(t, "the registration is served", func(server *v1alpha1.FAPIServer) bool {
		return server.Status.Revision != nil && *server.Status.Revision == before+1
	})
	if served, known := i.replicas.ServedRevision(); !known || served != before+1 {
		t.Errorf("served is revision %d (%v), want %d", served, known, before+1)
	}
}

// Counted at the API server.
func TestAReportThatSaysNothingNewIsNotWritten(t *testing.T) {
	t.Parallel()
	i := runPods(t, 50*time.Millisecond, fapitest.StartServer(t))
	before := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	writes := i.writes.Load()
	i.awaitQuestions(t, 10)
	if after := i.writes.Load(); writes != 2 || after != writes {
		t.Errorf("%d writes until the server was ready, want 2: one makes the FAPIServer, one its status; %d since", writes, after-writes)
	}
	if after := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the FAPIServer went from %s to %s", before.ResourceVersion, after.ResourceVersion)
	}
}

// A pod that comes or goes is reported at once; the period is an hour here.
func TestAReplicaThatDoesNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	there := here.StartReplica(t)
	i := runPods(t, time.Hour, here, there)
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)

	i.setReady(t, 1, false)
	i.awaitReportWhere(t, "one replica", func(server *v1alpha1.FAPIServer) bool { return server.Status.ReadyReplicas == 1 })
	there.Stop()
	i.setReady(t, 1, true)
	server := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReplicaUnavailable)
	if !strings.Contains(meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionReady).Message, podName(1)) ||
		server.Status.Replicas[1].Message == "" || server.Status.Revision != nil || server.Status.Issuer != here.Issuer {
		t.Errorf("the status is %+v", server.Status)
	}
	if !meta.IsStatusConditionPresentAndEqual(server.Status.Conditions, v1alpha1.ConditionRevisionsAgree, metav1.ConditionUnknown) {
		t.Errorf("the conditions are %+v", server.Status.Conditions)
	}
	if served, known := i.replicas.ServedRevision(); known {
		t.Errorf("revision %d is said to be served everywhere", served)
	}
	i.setReady(t, 0, false)
	i.setReady(t, 1, false)
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonNoReadyReplica)
}

// A replica with another store knows other clients.
func TestAReplicaThatLagsBehindIsNamed(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	i := runPods(t, 100*time.Millisecond, here, here.StartReplicaOn(t, pgcluster.New(t)))
	i.awaitReport(t, v1alpha1.ConditionRevisionsAgree, v1alpha1.ReasonRevisionsAgree)
	here.Register(t, "bank.shop", keyAndMTLS)
	server := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonRevisionsDiffer)
	if message := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, podName(1)) {
		t.Errorf("the message does not name the replica: %s", message)
	}
	if server.Status.Revision == nil || *server.Status.Revision != 0 {
		t.Errorf("the lowest revision is %v", server.Status.Revision)
	}
}

// What one replica had answered before a registration, and another one after it,
// is no disagreement.
func TestARegistrationBetweenTwoAnswersIsNoLag(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	i := runPods(t, time.Hour, here, here.StartReplica(t))
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	before, _ := i.replicas.ServedRevision()
	answered, registered := make(chan struct{}), sync.OnceFunc(func() { here.Register(t, "bank.shop", keyAndMTLS) })
	tell := sync.OnceFunc(func() { close(answered) })
	i.pods.observe(func(address, event string) {
		switch {
		case address == podAddress(0) && event == "answered":
			tell()
		case address == podAddress(1) && event == "asked":
			<-answered
			registered()
		}
	})
	if err := i.replicas.Serve(t.Context(), before+1); err != nil {
		t.Error(err)
	}
	if served, known := i.replicas.ServedRevision(); !known || served != before+1 {
		t.Errorf("served is revision %d (%v), want %d", served, known, before+1)
	}
	if err := i.replicas.Serve(t.Context(), before+2); err == nil || !strings.Contains(err.Error(), podName(0)) {
		t.Errorf("a revision that is nobody's: %v", err)
	}
}

func TestTheReportIsMadeAnewAndGoesWithItsRelease(t *testing.T) {
	t.Parallel()
	i := runPods(t, 50*time.Millisecond, fapitest.StartServer(t))
	first := i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	if err := i.kube.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := i.awaitReportWhere(t, "another one", func(server *v1alpha1.FAPIServer) bool {
		return server.UID != first.UID && server.Status.ReadyReplicas == 1
	})
	if len(second.OwnerReferences) != 1 || second.OwnerReferences[0].Name != "release-of-"+i.namespace {
		t.Errorf("its owners are %v", second.OwnerReferences)
	}
	i.uninstallWebhook(t, "release-of-"+i.namespace)
	i.eventually(t, "the FAPIServer goes with the release", func(ctx context.Context) error {
		err := i.kube.Get(ctx, client.ObjectKey{Name: i.namespace}, &v1alpha1.FAPIServer{})
		if err == nil {
			return errNotYet
		}
		return client.IgnoreNotFound(err)
	})
}

// A client that is Ready is known wherever its request arrives.
func TestAnApplicationIsRegisteredOnceEveryReplicaServesIt(t *testing.T) {
	t.Parallel()
	here := fapitest.StartServerOn(t, pgcluster.New(t))
	i := runPods(t, time.Hour, here, here.StartReplicaOn(t, pgcluster.New(t)))
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
	i.registrar = here.Registrar
	i.startOperator(t)
	i.create(t, "planner", dpopSpec)
	waiting := i.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonNotServed)
	if message := messageOf(waiting, v1alpha1.ConditionRegistered); !strings.Contains(message, podName(1)) {
		t.Errorf("the message does not name the replica: %s", message)
	}
	requireCondition(t, waiting, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotServed)

	i.setReady(t, 1, false)
	ready := i.awaitReady(t, "planner")
	if served, known := i.replicas.ServedRevision(); !known || served < ready.Status.Registration.Revision {
		t.Errorf("served is revision %d (%v), registered %d", served, known, ready.Status.Registration.Revision)
	}
	// What was registered stays so when a replica begins that lags behind: the FAPIServer tells of it.
	i.setReady(t, 1, true)
	i.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonRevisionsDiffer)
	requireCondition(t, i.get(t, "planner"), v1alpha1.ConditionRegistered, metav1.ConditionTrue, v1alpha1.ReasonRegistered)
}
