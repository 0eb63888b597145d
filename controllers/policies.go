package controllers

import (
	"context"
	"fmt"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapipolicies,verbs=get;list;watch

// Policies lists every policy, from a cache that is watched. Until the cache is
// complete there is an error rather than too few of them.
func Policies(ctx context.Context, cache client.Reader) ([]v1alpha1.FAPIPolicy, error) {
	var policies v1alpha1.FAPIPolicyList
	if err := cache.List(ctx, &policies, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("the policies are not known yet, so nothing is judged by them: %w", err)
	}
	return policies.Items, nil
}

// resolvePolicies finds the policies that bound the application.
func (r *Reconciler) resolvePolicies(ctx context.Context, p *passage) error {
	policies, err := Policies(ctx, r.Kube)
	p.resolved.Policies = clientmetadata.PoliciesFor(p.application.Namespace, policies)
	return err
}

// whenPoliciesChange has every application judged again: a policy may have let go of
// a namespace, or taken hold of it.
func (r *Reconciler) whenPoliciesChange() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q queue) { r.judgeAllAgain(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q queue) { r.judgeAllAgain(ctx, q) },
		DeleteFunc: func(ctx context.Context, _ event.DeleteEvent, q queue) { r.judgeAllAgain(ctx, q) },
	}
}

func (r *Reconciler) judgeAllAgain(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	queueBehind(queue, r.affected(ctx, "FAPIPolicy", anyApplication))
}

// queueBehind queues applications behind those that somebody changes.
func queueBehind(queue workqueue.TypedRateLimitingInterface[reconcile.Request], requests []reconcile.Request) {
	queue.(priorityqueue.PriorityQueue[reconcile.Request]).AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, requests...)
}
