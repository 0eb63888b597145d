package scale

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv"
)

const (
	// namespaces is how many the applications are spread over.
	namespaces = 20
	// newcomers is how many applications are new, or changed, while all others are
	// looked at again.
	newcomers = 40
)

// bank is everything that runs.
type bank struct {
	*testenv.Environment
	kube       client.Client
	server     *fapitest.Server
	operator   *operator
	ready      *readiness
	namespaces []string
	all        []*v1alpha1.FAPIApplication
	took       time.Duration // from apply to Ready, for all of them
}

func open(t *testing.T) *bank {
	t.Helper()
	environment, scheme := testenv.Start(t), runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), eventsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(environment.Config)
	config.QPS = -1 // The API server's own fairness is all there is, as for the operator.
	kube, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	server := startServer(t)
	b := &bank{Environment: environment, kube: kube, server: server, operator: newOperator(t, environment.Kubeconfig, server), ready: watchReadiness(t, config, scheme)}
	for range namespaces {
		b.namespaces = append(b.namespaces, environment.Namespace(t))
	}
	return b
}

// The parts need one another, and each makes the next one's start.
func TestManyApplications(t *testing.T) {
	b, count := open(t), applications()
	figures.add("applications", fmt.Sprint(count), "")
	b.operator.start(t)
	b.timeAdmission(t, "with no application there")
	b.bringToReady(t, count)
	b.timeAdmission(t, "with all of them there")
	b.comeFirst(t)
	b.restart(t)
	b.compareWithBareClient(t, count)
}

// bringToReady applies them all at once, and waits until they are Ready.
func (b *bank) bringToReady(t *testing.T, count int) {
	t.Helper()
	// slack is for what is counted when it first happens, such as another status code.
	const slack = 100
	series := b.operator.series(t)
	b.all = crowd(t, b.namespaces, "app", count)
	began := time.Now()
	inParallel(t, b.all, func(application *v1alpha1.FAPIApplication) error { return b.kube.Create(t.Context(), application) })
	b.ready.await(t, b.all...)
	took := time.Since(began)
	b.took = took
	figures.add("from apply to Ready", fmt.Sprintf("%.1f s, %.0f a second", took.Seconds(), float64(count)/took.Seconds()), "")
	b.weigh(t, "memory when all are Ready")
	if after := b.operator.series(t); after > series+slack {
		t.Errorf("%d applications have made %d series of metrics out of %d", count, after, series)
	} else {
		figures.add("series of metrics, before and with all", fmt.Sprintf("%d, %d", series, after), "no more for more applications")
	}
}

// weigh tells how much memory the operator has.
func (b *bank) weigh(t *testing.T, what string) {
	t.Helper()
	resident, limit := b.operator.count(t, "process_resident_memory_bytes")>>20, memoryLimit(len(b.all))
	figures.add(what, fmt.Sprintf("%d MiB", resident), fmt.Sprintf("under %d MiB", limit))
	if resident > limit {
		t.Errorf("the operator has %d MiB for %d applications", resident, len(b.all))
	}
}

// memoryLimit is in MiB: for 10,000 applications, and for 50,000.
func memoryLimit(applications int) int {
	if applications <= manyApplications {
		return 300
	}
	return 1 << 10
}

// comeFirst has all applications looked at again, by changes of a policy, and sees
// that new and changed ones are Ready before that is done.
func (b *bank) comeFirst(t *testing.T) {
	t.Helper()
	const limit = 5 * time.Second
	policy := &v1alpha1.FAPIPolicy{ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, Spec: v1alpha1.FAPIPolicySpec{Namespaces: []string{"*"}}}
	if err := b.kube.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	var took times
	overtaken := 0
	for i := range newcomers {
		b.lookAtAllAgain(t, policy, i)
		took = append(took, b.awaitNewcomer(t, i))
		if b.backlog(t) > 0 {
			overtaken++
		}
	}
	p99 := took.percentile(99)
	figures.add("a new or changed one while all are looked at again", took.String(), fmt.Sprintf("p99 under %v", limit))
	figures.add("of these, Ready before the others", fmt.Sprintf("%d of %d", overtaken, newcomers), "most")
	if p99 > limit || overtaken <= newcomers/2 {
		t.Errorf("a newcomer was Ready after %v (p99), and %d of %d came before the rest", p99, overtaken, newcomers)
	}
	b.weigh(t, "memory after that")
}

// lookAtAllAgain fills the operator's queue, unless it is full.
func (b *bank) lookAtAllAgain(t *testing.T, policy *v1alpha1.FAPIPolicy, round int) {
	t.Helper()
	if b.backlog(t) > len(b.all)/2 {
		return
	}
	policy.Spec.Namespaces = []string{"*", fmt.Sprintf("round-%d", round)}
	if err := b.kube.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
}

// backlog is how many applications are queued.
func (b *bank) backlog(t *testing.T) int {
	t.Helper()
	return b.operator.count(t, "workqueue_depth", "controller", "fapiapplication")
}

// awaitNewcomer changes an application, or makes a new one.
func (b *bank) awaitNewcomer(t *testing.T, i int) time.Duration {
	t.Helper()
	var newcomer *v1alpha1.FAPIApplication
	began := time.Now()
	if i%2 == 0 {
		newcomer = newApplication(t, b.namespaces[0], fmt.Sprintf("new-%d", i))
		if err := b.kube.Create(t.Context(), newcomer); err != nil {
			t.Fatal(err)
		}
	} else {
		newcomer = b.all[i].DeepCopy()
		patch := client.MergeFrom(b.all[i])
		newcomer.Spec.Scopes = []string{"openid"}
		if err := b.kube.Patch(t.Context(), newcomer, patch); err != nil {
			t.Fatal(err)
		}
	}
	b.ready.await(t, newcomer)
	return time.Since(began)
}

// restart sees that an operator that starts reads everything, and writes nothing; and
// that it counts the one application less, whose client is retained.
func (b *bank) restart(t *testing.T) {
	t.Helper()
	b.retireOne(t)
	b.operator.stop(t)
	wrote, registered := writes(t, b.Environment), b.revision(t)
	began := time.Now()
	b.operator.start(t)
	left := len(b.all) + newcomers/2 - 1
	b.operator.awaitIdle(t, left)
	if ready, orphaned := b.operator.count(t, "fapi_operator_applications", "reason", v1alpha1.ReasonReady), b.operator.count(t, "fapi_operator_orphaned_clients"); ready != left || orphaned != 1 {
		t.Errorf("the operator counts %d applications that are Ready and %d orphaned clients, want %d and 1", ready, orphaned, left)
	}
	figures.add("restart until all were looked at", fmt.Sprintf("%.1f s", time.Since(began).Seconds()), "")
	wrote, registered = writes(t, b.Environment)-wrote, b.revision(t)-registered
	asked := b.operator.count(t, "fapi_operator_registrar_calls_total", "call", "read")
	figures.add("writes of a restart", fmt.Sprintf("%d to the API server, %d to the store", wrote, registered), "0 and 0")
	figures.add("requests to the server for it", fmt.Sprintf("%d pages of a listing, %d reads", b.operator.count(t, "fapi_operator_registrar_calls_total", "call", "list"), asked), "no reads")
	if wrote != 0 || registered != 0 || asked != 0 {
		t.Errorf("a restart wrote %d times to the API server and %d times to the store, and read %d clients", wrote, registered, asked)
	}
	b.weigh(t, "memory after the restart")
}

// retireOne deletes an application, and has its client stay.
func (b *bank) retireOne(t *testing.T) {
	t.Helper()
	retired := b.all[0]
	patch := client.MergeFrom(retired.DeepCopy())
	retired.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	if err := b.kube.Patch(t.Context(), retired, patch); err != nil {
		t.Fatal(err)
	}
	b.ready.await(t, retired)
	if err := b.kube.Delete(t.Context(), retired); err != nil {
		t.Fatal(err)
	}
	b.ready.awaitGone(t, retired)
}

// revision is how often the server's registrations have changed.
func (b *bank) revision(t *testing.T) int64 {
	t.Helper()
	page, err := b.server.Registrar.List(t.Context(), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	return page.Revision
}

// compareWithBareClient does for as many applications what the operator has to write:
// metadata, the same status and an event at the API server, and a client.
func (b *bank) compareWithBareClient(t *testing.T, count int) {
	t.Helper()
	b.operator.stop(t)
	status := b.readyStatus(t)
	took := inParallel(t, crowd(t, b.namespaces, "bare", count), func(application *v1alpha1.FAPIApplication) error { return b.writeBare(t, application, status) })
	figures.add("a bare client's writes for as many", fmt.Sprintf("%.1f s; the operator took %.2f times as long", took.Seconds(), b.took.Seconds()/took.Seconds()), "at most 1.5 times")
}

// readyStatus is as the operator has written it, of one application.
func (b *bank) readyStatus(t *testing.T) any {
	t.Helper()
	ready := &unstructured.Unstructured{}
	ready.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("FAPIApplication"))
	if err := b.kube.Get(t.Context(), client.ObjectKeyFromObject(b.all[len(b.all)-1]), ready); err != nil {
		t.Fatal(err)
	}
	return ready.Object["status"]
}

func (b *bank) writeBare(t *testing.T, application *v1alpha1.FAPIApplication, status any) error {
	ctx := t.Context()
	if err := b.kube.Create(ctx, application); err != nil {
		return err
	}
	patch := client.MergeFrom(application.DeepCopy())
	application.Finalizers = []string{"example.com/bare"}
	if err := b.kube.Patch(ctx, application, patch); err != nil {
		return err
	}
	clientID := clientmetadata.ClientID(application)
	_, err := b.server.Registrar.Register(ctx, clientID, registration.NoRevision, registration.Request{
		Owner:      registration.Owner{Installation: installation, Namespace: application.Namespace, Name: application.Name},
		Generation: application.Generation,
		Metadata:   clientmetadata.FromApplication(application, clientmetadata.Resolved{JWKS: application.Spec.Keys.JWKS.Raw}),
	})
	if err != nil {
		return err
	}
	stated := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "FAPIApplication",
		"metadata": map[string]any{"namespace": application.Namespace, "name": application.Name},
		"status":   status,
	}}
	if err := b.kube.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(stated), client.FieldOwner("bare"), client.ForceOwnership); err != nil {
		return err
	}
	return b.kube.Create(ctx, &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: application.Namespace, Name: application.Name}, EventTime: metav1.NowMicro(),
		Regarding: corev1.ObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "FAPIApplication", Namespace: application.Namespace, Name: application.Name, UID: application.UID},
		Type:      corev1.EventTypeNormal, Reason: v1alpha1.ReasonRegistered, Action: v1alpha1.ConditionRegistered, Note: "The client is registered.",
		ReportingController: "example.com/bare", ReportingInstance: "bare",
	})
}
