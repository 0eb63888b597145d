// Package controllers takes an accepted FAPIApplication to Ready: its keys, its
// certificate, and its registration at the authorization server.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// FieldManager owns what the operator writes in the cluster.
const FieldManager = "fapi-operator"

// Finalizer keeps an application until the server has confirmed that its client is gone.
const Finalizer = "fapi-operator.io/registration"

// AbandonAnnotation with the value "true" waives that confirmation: the
// application goes, and its client may stay registered.
const AbandonAnnotation = "fapi-operator.io/abandon"

// Registrar registers clients at the authorization server. Every error but
// *registration.RejectedError, *registration.OwnedByAnotherError,
// registration.ErrOwnedByOtherInstallation, registration.ErrInstallationNotAllowed and
// registration.ErrNotFound leaves open what the server did.
type Registrar interface {
	// Register creates or replaces the client, which the server is taken to hold as
	// that revision; registration.NoRevision for none.
	Register(ctx context.Context, clientID string, held int64, request registration.Request) (registration.Record, error)
	// Client reads one client. Only a proven absence is registration.ErrNotFound.
	Client(ctx context.Context, clientID string) (registration.Record, error)
	// Delete removes the owner's client. registration.ErrNotFound proves that there is none.
	Delete(ctx context.Context, clientID string, owner registration.Owner) error
	// List reads one page of at most limit clients; the first one has no cursor.
	List(ctx context.Context, cursor string, limit int) (registration.Page, error)
	// Server asks what the server is, and where its clients find what.
	Server(ctx context.Context) (registration.Replica, error)
}

// Reconciler reconciles the FAPIApplications of one server class. All fields
// but Replicas, ServerCAFile, ServerClassName, NamespaceSelector, Shard and Limits are required.
type Reconciler struct {
	// Kube writes, and finds in its cache which applications name an object.
	Kube client.Client
	// Uncached reads what is decided on. The cache holds the metadata of ConfigMaps
	// and of labeled Secrets alone; and by a status that it has not seen yet, a client
	// would be registered once more.
	Uncached client.Reader
	Events   events.EventRecorder
	// Registrar reaches the server's private listener.
	Registrar Registrar
	// Replicas tell what they serve: an application is registered when all of them
	// serve its client. nil asks nobody.
	Replicas *Replicas
	// ServerCAFile holds, in PEM, the authorities that may have issued the server's
	// certificate for clients, who are told them; empty for none. It is read again.
	ServerCAFile string
	// Installation identifies this operator's installation to the server.
	Installation string
	// ServerClassName is the class that this installation serves; empty for
	// applications without one.
	ServerClassName string
	// NamespaceSelector selects the namespaces that are served, by their labels. In
	// others, the applications that this operator has registered are let go when they
	// are deleted, and nothing else is done. nil selects all.
	NamespaceSelector labels.Selector
	// Shard says which applications are this operator's, where several share them.
	Shard Shard
	// Limits are what the server allows on top of the rule book.
	Limits fapi.Limits
	// Resync is how often, at the least, everything that the server holds is
	// compared with what the applications say.
	Resync time.Duration
	Now    func() time.Time

	held        listing
	publication published
}

// Reconcile walks the application through the phases, and writes down once how
// far it came.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Shard.Holds(request.Namespace) {
		return ctrl.Result{}, nil
	}
	application := &v1alpha1.FAPIApplication{}
	if err := r.Uncached.Get(ctx, request.NamespacedName, application); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if application.Spec.ServerClassName != r.ServerClassName {
		return ctrl.Result{}, nil
	}
	ctx = correlate(ctx, application)
	p := r.begin(application)
	if !application.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.end(ctx, p)
	}
	if selected, err := r.isSelected(ctx, application.Namespace); err != nil || !selected {
		return ctrl.Result{}, err
	}
	last := p.walk(ctx, r.phases())
	if err := r.suspendHeld(ctx, p); err != nil {
		last.retry = errors.Join(last.retry, err)
	}
	p.summarize()
	if err := r.writeStatus(ctx, p); err != nil {
		return ctrl.Result{}, err
	}
	r.tell(p)
	return r.next(p, last), last.retry
}

// correlate has the logs here and at the server name the change that the webhook has
// admitted under the same identifier.
func correlate(ctx context.Context, application *v1alpha1.FAPIApplication) context.Context {
	id := clientmetadata.CorrelationID(application)
	return registration.WithCorrelation(ctrl.LoggerInto(ctx, ctrl.LoggerFrom(ctx).WithValues("correlationID", id)), id)
}

// phases are the steps to Ready, in their order. The finalizer goes on before
// the first effect outside of the application.
func (r *Reconciler) phases() []phase {
	return []phase{
		{v1alpha1.ConditionAccepted, r.accept},
		{"", r.protect},
		{v1alpha1.ConditionKeysReady, r.resolveKeys},
		{v1alpha1.ConditionCertificateReady, r.keepCertificate},
		{v1alpha1.ConditionRegistered, r.register},
		{"", r.showManagedKey},
		{"", r.showCertificate},
		{v1alpha1.ConditionBindingReady, r.keepBinding},
	}
}

// next comes back when a managed key or a certificate is due, unless a failure is tried again with
// back-off, or only a person can mend what is wrong. It goes behind every
// application that has changed.
func (r *Reconciler) next(p *passage, last verdict) ctrl.Result {
	result := ctrl.Result{Priority: new(handler.LowPriority)}
	due := earliest([]*metav1.Time{p.keysDue, p.certificateDue})
	switch {
	case last.retry != nil:
	case last.unwatched:
		result.RequeueAfter = unwatchedInterval
	case !p.isStalled() && due != nil:
		// Times are kept in whole seconds, so that less would come too early.
		result.RequeueAfter = max(due.Sub(r.Now()), time.Second)
	}
	return result
}

// unwatchedInterval is how often an application is looked at that waits for a
// Secret without the label, which no watch shows; our own choice.
const unwatchedInterval = 30 * time.Second

func (r *Reconciler) owner(application *v1alpha1.FAPIApplication) registration.Owner {
	return registration.Owner{Installation: r.Installation, Namespace: application.Namespace, Name: application.Name}
}

// check finds a field that was forgotten when the reconciler was wired.
func (r *Reconciler) check() error {
	if r.Kube == nil || r.Uncached == nil || r.Registrar == nil || r.Events == nil || r.Installation == "" || r.Resync <= 0 || r.Now == nil {
		return fmt.Errorf("reconciler is incomplete: it needs two Kubernetes clients, a registrar, an event recorder, an installation, a resync period and a clock")
	}
	return nil
}
