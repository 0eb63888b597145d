package controllers

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// Rights for the report on the server. Its replicas are found in the
// installation's own namespace alone.
//
// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapiservers,verbs=get;create
// +kubebuilder:rbac:groups=fapi-operator.io,resources=fapiservers/status,verbs=patch
// +kubebuilder:rbac:groups=discovery.k8s.io,namespace=system,resources=endpointslices,verbs=list;watch

// ServerReport keeps a FAPIServer up to date with what the replicas of the
// authorization server tell. All fields but Release are required.
type ServerReport struct {
	// Kube makes the FAPIServer, and writes its status.
	Kube client.Client
	// Uncached reads the FAPIServer, and what it belongs to.
	Uncached client.Reader
	Replicas *Replicas
	// Name is the FAPIServer's.
	Name string
	// Release names the ValidatingWebhookConfiguration with which the FAPIServer
	// goes, since both are the installation's and neither has a namespace; empty
	// leaves the FAPIServer to whoever uninstalls.
	Release string
	// Every is how often the replicas are asked while nothing is known to have
	// changed.
	Every time.Duration
	Now   func() time.Time
}

// SetupWithManager makes the manager's leader run the report: at once, when the
// Service's endpoints change, and again and again.
func (r *ServerReport) SetupWithManager(manager ctrl.Manager) error {
	if r.Kube == nil || r.Uncached == nil || r.Replicas == nil || r.Name == "" || r.Every <= 0 || r.Now == nil {
		return fmt.Errorf("the report on the server is incomplete: it needs two Kubernetes clients, replicas, a name, a period and a clock")
	}
	request := reconcile.Request{NamespacedName: client.ObjectKey{Name: r.Name}}
	changed := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return []reconcile.Request{request} })
	return ctrl.NewControllerManagedBy(manager).
		Named("fapiserver").
		Watches(&discoveryv1.EndpointSlice{}, changed, builder.WithPredicates(predicate.NewPredicateFuncs(r.isOfTheService))).
		WatchesRawSource(atOnce(request)).
		WithOptions(controller.Options{
			RateLimiter: backOff(),
		}).
		Complete(r)
}

func (r *ServerReport) isOfTheService(slice client.Object) bool {
	service := r.Replicas.service
	return slice.GetNamespace() == service.Namespace && slice.GetLabels()[discoveryv1.LabelServiceName] == service.Name
}

// Reconcile asks the replicas, and writes down what is new.
func (r *ServerReport) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	answers, err := r.Replicas.survey(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	server, err := r.server(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	server.Status.SelfTest = nil // The self-test writes it.
	status := reportOn(server.Status, answers, metav1.NewTime(r.Now()).Rfc3339Copy())
	if err := r.write(ctx, server, status); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: r.Every}, nil
}

// server reads the FAPIServer, and makes it where there is none.
func (r *ServerReport) server(ctx context.Context) (*v1alpha1.FAPIServer, error) {
	server := &v1alpha1.FAPIServer{}
	err := r.Uncached.Get(ctx, client.ObjectKey{Name: r.Name}, server)
	if !apierrors.IsNotFound(err) {
		return server, err
	}
	owners, err := r.owners(ctx)
	if err != nil {
		return nil, err
	}
	server = &v1alpha1.FAPIServer{ObjectMeta: metav1.ObjectMeta{
		Name: r.Name, Labels: map[string]string{managedByLabel: FieldManager}, OwnerReferences: owners,
	}}
	if err := r.Kube.Create(ctx, server); err != nil {
		return nil, fmt.Errorf("make FAPIServer %s: %w", r.Name, err)
	}
	return server, nil
}

// owners is what the FAPIServer goes with.
func (r *ServerReport) owners(ctx context.Context) ([]metav1.OwnerReference, error) {
	if r.Release == "" {
		return nil, nil
	}
	release := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := r.Uncached.Get(ctx, client.ObjectKey{Name: r.Release}, release); err != nil {
		return nil, fmt.Errorf("find what FAPIServer %s belongs to: %w", r.Name, err)
	}
	return []metav1.OwnerReference{{
		APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingWebhookConfiguration",
		Name: release.Name, UID: release.UID,
	}}, nil
}

// write writes the status only when it says something new.
func (r *ServerReport) write(ctx context.Context, server *v1alpha1.FAPIServer, status v1alpha1.FAPIServerStatus) error {
	if equality.Semantic.DeepEqual(server.Status, status) {
		return nil
	}
	configuration, err := statusConfiguration("FAPIServer", server, &status)
	if err != nil {
		return err
	}
	if err := r.Kube.Status().Apply(ctx, configuration, client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("write the status of FAPIServer %s: %w", r.Name, err)
	}
	return nil
}
