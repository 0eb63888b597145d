package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// longestGlance is how long the server's revision is not asked for, at the most;
// our own choice. It is one small request for all applications together.
const longestGlance = 30 * time.Second

// driftWatch has every application reconciled again that the server does not hold as
// its status says: one glance at the server's revision finds that something has
// changed, and one paged listing what. It is a source of the reconciler's queue.
type driftWatch struct {
	reconciler *Reconciler
	listedAt   time.Time
	// first is closed once the server has been listed, or could not be.
	first chan struct{}
	once  sync.Once
}

func newDriftWatch(r *Reconciler) *driftWatch {
	return &driftWatch{reconciler: r, first: make(chan struct{})}
}

// String names the source in messages.
func (w *driftWatch) String() string { return "drift at the authorization server" }

// Start watches until ctx ends.
func (w *driftWatch) Start(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	go w.run(ctx, queue)
	return nil
}

// WaitForSync lets an operator that starts compare every application with one
// listing, instead of asking for each.
func (w *driftWatch) WaitForSync(ctx context.Context) error {
	select {
	case <-w.first:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *driftWatch) run(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	for ticker := time.NewTicker(min(longestGlance, w.reconciler.Resync)); ; {
		if err := w.compare(ctx, queue); err != nil && ctx.Err() == nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot compare the registrations with the authorization server's; it is tried again")
		}
		w.once.Do(func() { close(w.first) })
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
		}
	}
}

// compare queues the applications that differ, behind those that somebody changes.
func (w *driftWatch) compare(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	return errors.Join(w.compareRegistrations(ctx, queue), w.comparePublication(ctx, queue))
}

// comparePublication queues the applications with a binding when the server has come
// to publish something else: one request for all of them.
func (w *driftWatch) comparePublication(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	bound, err := w.reconciler.findBound(ctx)
	if err != nil || len(bound) == 0 {
		return err
	}
	anew, err := w.reconciler.hasPublishedAnew(ctx)
	if anew {
		queueBehind(queue, bound)
	}
	return err
}

func (w *driftWatch) compareRegistrations(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	if unchanged, err := w.glance(ctx); err != nil || unchanged {
		return err
	}
	if err := w.reconciler.held.read(ctx, w.reconciler.Registrar); err != nil {
		return err
	}
	w.listedAt = w.reconciler.Now()
	differing, err := w.reconciler.findDrift(ctx)
	if err != nil {
		return err
	}
	queueBehind(queue, differing)
	return w.reconciler.countOrphans(ctx)
}

// glance tells whether nothing has happened at the server since the last listing,
// as far as the server itself says. For what happens behind its back there is the
// resync.
func (w *driftWatch) glance(ctx context.Context) (unchanged bool, err error) {
	if w.reconciler.Now().Sub(w.listedAt) >= w.reconciler.Resync {
		return false, nil
	}
	page, err := w.reconciler.Registrar.List(ctx, "", 1)
	countCall("list", err)
	return err == nil && w.reconciler.held.isAt(page.Revision), err
}

// countOrphans counts the clients of this installation that no application claims.
// None is deleted: somebody may have wanted it to stay.
func (r *Reconciler) countOrphans(ctx context.Context) error {
	claimed := map[registration.Owner]bool{}
	if err := r.each(ctx, func(application *v1alpha1.FAPIApplication) { claimed[r.owner(application)] = true }); err != nil {
		return err
	}
	orphans := r.held.count(func(owner registration.Owner) bool {
		return owner.Installation == r.Installation && r.Shard.Holds(owner.Namespace) && !claimed[owner]
	})
	orphanedClients.Set(float64(orphans))
	return nil
}

// findBound lists the applications with a binding.
func (r *Reconciler) findBound(ctx context.Context) ([]reconcile.Request, error) {
	return r.who(ctx, func(application *v1alpha1.FAPIApplication) bool {
		return application.Spec.Binding != nil && application.Spec.ServerClassName == r.ServerClassName
	})
}

// findDrift lists the applications that take themselves for registered as the server
// does not hold them.
func (r *Reconciler) findDrift(ctx context.Context) ([]reconcile.Request, error) {
	return r.who(ctx, func(application *v1alpha1.FAPIApplication) bool {
		stated := application.Status.Registration
		if application.Spec.ServerClassName != r.ServerClassName || stated == nil || !application.DeletionTimestamp.IsZero() {
			return false
		}
		found, _ := r.held.client(application.Status.ClientID)
		return found.Owner != r.owner(application) || found.ContentHash != stated.ContentHash || found.Revision != stated.Revision || found.issuer != stated.Issuer
	})
}
