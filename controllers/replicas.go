package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// replicaPatience bounds the answer of one replica; our own choice. It is below
// the registrar's own bound, since a reconciler may be waiting.
const replicaPatience = 5 * time.Second

// ReplicaAsker asks the replica at an address, host:port, what it serves. The
// registrar does.
type ReplicaAsker interface {
	ServerAt(ctx context.Context, address string) (registration.Replica, error)
}

// Replicas asks every ready replica of the authorization server what it serves.
// It is safe for concurrent use.
type Replicas struct {
	slices  client.Reader
	asker   ReplicaAsker
	service types.NamespacedName

	asking sync.Mutex // one round of questions at a time
	served atomic.Pointer[int64]
	grown  chan event.GenericEvent
}

// NewReplicas finds the replicas in the EndpointSlices of the private Service,
// which has one port.
func NewReplicas(endpointSlices client.Reader, asker ReplicaAsker, service types.NamespacedName) *Replicas {
	return &Replicas{slices: endpointSlices, asker: asker, service: service, grown: make(chan event.GenericEvent, 1)}
}

// ServedRevision is the lowest revision that a ready replica served when they were
// last asked: every one of them knew every registration up to it. It is not known
// when there was no ready replica, or one did not answer.
func (r *Replicas) ServedRevision() (revision int64, known bool) {
	served := r.served.Load()
	if served == nil {
		return 0, false
	}
	return *served, true
}

// Grown gives an event after the served revision has grown or become known. What
// happens before somebody has taken the event is one event.
func (r *Replicas) Grown() <-chan event.GenericEvent { return r.grown }

// Serve asks the replicas, unless it is known already, whether every ready one
// serves the revision. The error names one that does not.
func (r *Replicas) Serve(ctx context.Context, revision int64) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	// Whoever asked while this call waited may have learned it.
	if served, known := r.ServedRevision(); known && served >= revision {
		return nil
	}
	answers, err := r.look(ctx)
	if err != nil {
		return err
	}
	return lacking(answers, revision)
}

var errNoReadyReplica = errors.New("no replica of the authorization server is ready")

func lacking(answers []replicaAnswer, revision int64) error {
	if len(answers) == 0 {
		return errNoReadyReplica
	}
	for _, answer := range answers {
		switch {
		case answer.err != nil:
			return fmt.Errorf("replica %s did not tell what it serves: %s", answer.name, strings.TrimSuffix(lasting(answer.err), "."))
		case answer.told.ClientRevision < revision:
			return fmt.Errorf("replica %s serves revision %d and not yet revision %d", answer.name, answer.told.ClientRevision, revision)
		}
	}
	return nil
}

// replicaAnswer is what became of asking one replica.
type replicaAnswer struct {
	name    string // of the pod; where there is none, the address
	address string // host:port
	told    registration.Replica
	err     error
	// lags tells that the replica serves less than another one had told before.
	lags bool
}

// survey asks every ready replica.
func (r *Replicas) survey(ctx context.Context) ([]replicaAnswer, error) {
	r.asking.Lock()
	defer r.asking.Unlock()
	return r.look(ctx)
}

// look asks every ready replica once, and whoever is behind once more.
func (r *Replicas) look(ctx context.Context) ([]replicaAnswer, error) {
	answers, err := r.ready(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the ready replicas of Service %s: %w", r.service, err)
	}
	everyone := func(replicaAnswer) bool { return true }
	r.ask(ctx, answers, everyone)
	// A registration between two answers is no lag: from the answer that showed it
	// on, everybody has to know it.
	highest := highestRevision(answers)
	isBehind := func(a replicaAnswer) bool { return a.err == nil && a.told.ClientRevision < highest }
	r.ask(ctx, answers, isBehind)
	for i := range answers {
		answers[i].lags = isBehind(answers[i])
	}
	r.note(answers)
	return answers, nil
}

// ask asks those who are to be asked, at the same time.
func (r *Replicas) ask(ctx context.Context, answers []replicaAnswer, whom func(replicaAnswer) bool) {
	ctx, cancel := context.WithTimeout(ctx, replicaPatience)
	defer cancel()
	var asked sync.WaitGroup
	for i := range answers {
		if answer := &answers[i]; whom(*answer) {
			asked.Go(func() { answer.told, answer.err = r.asker.ServerAt(ctx, answer.address) })
		}
	}
	asked.Wait()
}

func highestRevision(answers []replicaAnswer) int64 {
	var highest int64
	for _, answer := range answers {
		if answer.err == nil {
			highest = max(highest, answer.told.ClientRevision)
		}
	}
	return highest
}

// lowestRevision is nil when there is nobody, or somebody did not answer.
func lowestRevision(answers []replicaAnswer) *int64 {
	var lowest *int64
	for i := range answers {
		if answers[i].err != nil {
			return nil
		}
		if revision := &answers[i].told.ClientRevision; lowest == nil || *revision < *lowest {
			lowest = revision
		}
	}
	if lowest == nil {
		return nil
	}
	return new(*lowest)
}

// note keeps what is served, and tells when that is more than before.
func (r *Replicas) note(answers []replicaAnswer) {
	before, known := r.ServedRevision()
	lowest := lowestRevision(answers)
	r.served.Store(lowest)
	if lowest == nil || (known && *lowest <= before) {
		return
	}
	select {
	case r.grown <- event.GenericEvent{Object: &v1alpha1.FAPIServer{}}:
	default: // The one before was not taken yet.
	}
}

// ready lists the replicas to which the Service leads, each once: a pod with
// addresses of both families stands in two slices.
func (r *Replicas) ready(ctx context.Context) ([]replicaAnswer, error) {
	var found discoveryv1.EndpointSliceList
	err := r.slices.List(ctx, &found, client.InNamespace(r.service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: r.service.Name})
	if err != nil {
		return nil, err
	}
	var replicas []replicaAnswer
	for _, slice := range found.Items {
		for _, endpoint := range slice.Endpoints {
			if replica, ready := readyReplica(slice.Ports, endpoint); ready {
				replicas = append(replicas, replica)
			}
		}
	}
	slices.SortFunc(replicas, func(a, b replicaAnswer) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.address, b.address))
	})
	return slices.CompactFunc(replicas, func(a, b replicaAnswer) bool { return a.name == b.name }), nil
}

// readyReplica reads an endpoint. All its addresses lead to the same pod.
func readyReplica(ports []discoveryv1.EndpointPort, endpoint discoveryv1.Endpoint) (replicaAnswer, bool) {
	ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
	if !ready || len(ports) == 0 || ports[0].Port == nil || len(endpoint.Addresses) == 0 {
		return replicaAnswer{}, false
	}
	address := endpoint.Addresses[0]
	name := address
	if pod := endpoint.TargetRef; pod != nil && pod.Kind == "Pod" {
		name = pod.Name
	}
	return replicaAnswer{name: name, address: net.JoinHostPort(address, strconv.Itoa(int(*ports[0].Port)))}, true
}
