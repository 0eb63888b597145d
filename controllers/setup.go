package controllers

import (
	"context"
	"fmt"
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// Rights of the operator. It patches the metadata of applications (the
// finalizer) and their status, and never a spec.
//
// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapiapplications,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapiapplications/status,verbs=patch
// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapiapplications/finalizers,verbs=update
// +kubebuilder:rbac:groups=cert-manager.io,resources=certificates,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=cert-manager.io,resources=issuers;clusterissuers,verbs=get
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations,verbs=get
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=system,resources=leases,verbs=get;create;update
// The leader is told by an event of the core group.
// +kubebuilder:rbac:groups="",namespace=system,resources=events,verbs=create;patch

// The back-off after a failure; our own choice. A server that comes back is
// noticed within the longest wait.
const (
	shortestBackOff = 200 * time.Millisecond
	longestBackOff  = time.Minute
	// backOffJitter is how much longer a wait may be, as a share of it: those that
	// failed together are not tried again together.
	backOffJitter = 0.2
)

// backOff is how long a reconciliation that failed is put off, longer each time.
func backOff() workqueue.TypedRateLimiter[reconcile.Request] {
	return jittered{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](shortestBackOff, longestBackOff)}
}

type jittered struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

// When implements workqueue.TypedRateLimiter.
func (j jittered) When(request reconcile.Request) time.Duration {
	return wait.Jitter(j.TypedRateLimiter.When(request), backOffJitter)
}

// atOnce is a source that asks for one reconciliation when the controller starts.
func atOnce(request reconcile.Request) source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	})
}

// concurrentReconciles is how many applications are reconciled at a time; our own choice.
const concurrentReconciles = 4

// referenceIndex finds the applications that name an object.
const referenceIndex = "references"

// LabeledSecrets has the cache hold those alone that an application may name or has
// made for it, so that a cluster full of other Secrets costs nothing.
func LabeledSecrets() cache.ByObject {
	labeled, err := labels.NewRequirement(v1alpha1.ApplicationLabel, selection.Exists, nil)
	utilruntime.Must(err)
	return cache.ByObject{Label: labels.NewSelector().Add(*labeled)}
}

// SetupWithManager makes the manager run the reconciler.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	if err := r.check(); err != nil {
		return err
	}
	if err := manager.GetFieldIndexer().IndexField(ctx, &v1alpha1.FAPIApplication{}, referenceIndex, references); err != nil {
		return err
	}
	changes := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	building := ctrl.NewControllerManagedBy(manager).
		For(&v1alpha1.FAPIApplication{}, builder.WithPredicates(changes)).
		Watches(&v1alpha1.FAPIPolicy{}, r.whenPoliciesChange()).
		Watches(&cmv1.Certificate{}, r.whoNames("Certificate")).
		WatchesMetadata(&corev1.Secret{}, r.whoNames("Secret")).
		WatchesMetadata(&corev1.ConfigMap{}, r.whoNames("ConfigMap")).
		WatchesRawSource(newDriftWatch(r)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrentReconciles,
			UsePriorityQueue:        new(true), // queueBehind
			RateLimiter:             backOff(),
		})
	if r.NamespaceSelector != nil {
		enqueue, selected := r.whenSelected()
		building.WatchesMetadata(&corev1.Namespace{}, enqueue, builder.WithPredicates(selected))
	}
	if r.Replicas != nil {
		building.WatchesRawSource(source.Channel(r.Replicas.Grown(), handler.EnqueueRequestsFromMapFunc(r.whoIsNotServed)))
	}
	return building.Complete(r)
}

// each visits the applications of this shard in the cache, which are not to be changed.
func (r *Reconciler) each(ctx context.Context, visit func(*v1alpha1.FAPIApplication), options ...client.ListOption) error {
	var applications v1alpha1.FAPIApplicationList
	if err := r.Kube.List(ctx, &applications, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return fmt.Errorf("list the applications: %w", err)
	}
	for i := range applications.Items {
		if application := &applications.Items[i]; r.Shard.Holds(application.Namespace) {
			visit(application)
		}
	}
	return nil
}

// who lists the applications of which something is true.
func (r *Reconciler) who(ctx context.Context, is func(*v1alpha1.FAPIApplication) bool, options ...client.ListOption) (requests []reconcile.Request, err error) {
	err = r.each(ctx, func(application *v1alpha1.FAPIApplication) {
		if is(application) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(application)})
		}
	}, options...)
	return requests, err
}

// affected is who, for a watch: it has nobody to tell an error but the log.
func (r *Reconciler) affected(ctx context.Context, by string, is func(*v1alpha1.FAPIApplication) bool, options ...client.ListOption) []reconcile.Request {
	requests, err := r.who(ctx, is, options...)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "find the applications to reconcile again", "because of", by)
	}
	return requests
}

func anyApplication(*v1alpha1.FAPIApplication) bool { return true }

// whoIsNotServed lists the applications that wait for replicas.
func (r *Reconciler) whoIsNotServed(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.affected(ctx, "replicas", func(application *v1alpha1.FAPIApplication) bool {
		registered := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionRegistered)
		return registered != nil && registered.Reason == v1alpha1.ReasonNotServed
	})
}

// whoNames maps an object to the applications that name it, of whatever namespace.
func (r *Reconciler) whoNames(kind string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		return r.affected(ctx, kind, anyApplication, client.MatchingFields{referenceIndex: reference(kind, object.GetNamespace(), object.GetName())})
	})
}

func reference(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

func (n namedObject) reference() string { return reference(n.kind, n.namespace, n.name) }

// references lists the objects that an application names or has made for it.
func references(object client.Object) []string {
	application, ok := object.(*v1alpha1.FAPIApplication)
	if !ok {
		return nil
	}
	var names []string
	own := func(kind, name string) { names = append(names, reference(kind, application.Namespace, name)) }
	own("Certificate", CertificateName(application)) // Also one that it has no more.
	if keys := application.Spec.Keys; keys != nil {
		switch keys.Source {
		case v1alpha1.KeySourceSecretRef:
			names = append(names, secretNamed(application, *keys.SecretRef).reference())
		case v1alpha1.KeySourceConfigMapRef:
			names = append(names, configMapNamed(application, *keys.ConfigMapRef).reference())
		case v1alpha1.KeySourceManaged:
			own("Secret", ManagedKeySecretName(application))
			own("Secret", NextKeySecretName(application))
		}
	}
	if tls := application.Spec.ClientAuthentication.TLS; tls != nil && tls.TrustAnchors != nil && tls.TrustAnchors.ConfigMapRef != nil {
		names = append(names, configMapNamed(application, *tls.TrustAnchors.ConfigMapRef).reference())
	}
	if clientmetadata.HasManagedCertificate(&application.Spec) {
		own("Secret", CertificateSecretName(application))
		if clientmetadata.RegistersCertificate(&application.Spec) {
			own("Secret", StagedCertificateSecretName(application))
		}
	}
	if application.Spec.Binding != nil {
		own("Secret", BindingSecretName(application))
	}
	return names
}
