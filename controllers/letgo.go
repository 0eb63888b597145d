package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// LetGo takes an installation's finalizer off its applications, before the operator
// goes for good: nobody else would, and neither they nor their namespaces could be
// deleted. It asks nothing of the authorization server, where their clients stay.
type LetGo struct {
	// Kube reads and writes without a cache.
	Kube client.WithWatch
	// ServerClassName, Namespaces and NamespaceSelector say what the installation
	// serves, as its operator has them. Without the latter two, it serves all namespaces.
	ServerClassName   string
	Namespaces        []string
	NamespaceSelector labels.Selector
	// Issuer is the authorization server's. What is registered there is the
	// installation's in namespaces, too, that it serves no more.
	Issuer string
	// Operators are the labels of the operator's Deployments and pods, in OperatorNamespace.
	Operators         labels.Selector
	OperatorNamespace string
	// Patience is how long the operator's pods may take to end.
	Patience time.Duration
	Log      logr.Logger
}

// Run stops the operator, and then lets go of every application. It goes on past those
// that it cannot let go, which its log names, and may be run again.
func (l *LetGo) Run(ctx context.Context) error {
	if err := l.stopOperators(ctx); err != nil {
		return err
	}
	if err := l.awaitOperatorsEnd(ctx); err != nil {
		return err
	}
	return l.letGoOfAll(ctx)
}

// stopOperators scales the Deployments of the operator, one for each shard, to none.
func (l *LetGo) stopOperators(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	if err := l.Kube.List(ctx, &deployments, l.operators()); err != nil {
		return fmt.Errorf("list the operator's Deployments: %w", err)
	}
	if len(deployments.Items) == 0 {
		l.Log.Info("no Deployment of the operator is there; one that runs elsewhere would put the finalizers back", "namespace", l.OperatorNamespace, "labels", l.Operators.String())
	}
	toNone := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
	for i := range deployments.Items {
		deployment := &deployments.Items[i]
		err := l.Kube.SubResource("scale").Patch(ctx, deployment, toNone, client.WithSubResourceBody(&autoscalingv1.Scale{}), client.FieldOwner(FieldManager))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("scale Deployment %s to 0: %w", deployment.Name, err)
		}
		l.Log.Info("the operator is stopped", "deployment", deployment.Name)
	}
	return nil
}

func (l *LetGo) operators() client.ListOption {
	return &client.ListOptions{Namespace: l.OperatorNamespace, LabelSelector: l.Operators}
}

// errOperatorsLeft: a pod that is going may still put a finalizer on.
var errOperatorsLeft = errors.New("the operator has not ended in time")

// awaitOperatorsEnd waits until the operator's Deployments make no pods any more, and
// none is left.
func (l *LetGo) awaitOperatorsEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.Patience, errOperatorsLeft)
	defer cancel()
	if err := l.await(ctx, l.deploymentsLeft); err != nil {
		return fmt.Errorf("wait until the operator's Deployments are scaled to 0: %w", err)
	}
	if err := l.await(ctx, l.podsLeft); err != nil {
		return fmt.Errorf("wait until the operator's pods are gone: %w; a node that does not answer keeps its pods: delete them with --force once it is known to be down, and repeat", err)
	}
	return nil
}

// leftOver lists what has to end, and names what of it has not.
type leftOver func(context.Context) (list client.ObjectList, names []string, err error)

func (l *LetGo) deploymentsLeft(ctx context.Context) (client.ObjectList, []string, error) {
	list := &appsv1.DeploymentList{}
	err := l.Kube.List(ctx, list, l.operators())
	var names []string
	for i := range list.Items {
		if status := list.Items[i].Status; status.ObservedGeneration < list.Items[i].Generation || status.Replicas > 0 {
			names = append(names, list.Items[i].Name)
		}
	}
	return list, names, err
}

func (l *LetGo) podsLeft(ctx context.Context) (client.ObjectList, []string, error) {
	list := &corev1.PodList{}
	err := l.Kube.List(ctx, list, l.operators())
	var names []string
	for i := range list.Items {
		// One whose containers have ended does nothing; it may be kept for its log.
		if phase := list.Items[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			names = append(names, list.Items[i].Name)
		}
	}
	return list, names, err
}

// await waits until nothing is left, and names what was left last.
func (l *LetGo) await(ctx context.Context, left leftOver) error {
	waitedFor := "none is known yet"
	for {
		list, names, err := left(ctx)
		if err == nil && len(names) == 0 {
			return nil
		}
		if err == nil {
			waitedFor = strings.Join(names, ", ")
			err = l.awaitChange(ctx, list)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", waitedFor, context.Cause(ctx))
		case err != nil:
			return err
		}
	}
}

// awaitChange waits until the list may have become another one, or ctx has ended.
func (l *LetGo) awaitChange(ctx context.Context, list client.ObjectList) error {
	since := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	watching, err := l.Kube.Watch(ctx, list, since, l.operators())
	if err != nil {
		return err
	}
	defer watching.Stop()
	select {
	case <-ctx.Done():
	case <-watching.ResultChan():
	}
	return nil
}

// tally counts applications.
type tally struct{ letGo, registered, orphans, kept int }

// letGoOfAll lets go of every application that it can, and fails when some are left.
func (l *LetGo) letGoOfAll(ctx context.Context) error {
	isServed, err := l.served(ctx)
	if err != nil {
		return err
	}
	var count tally
	err = l.each(ctx, func(application *v1alpha1.FAPIApplication) {
		if l.isOurs(application, isServed) {
			l.letGoOf(ctx, application, &count)
		}
	})
	l.Log.Info("let go of the applications", "letGo", count.letGo, "clientsThatStayRegistered", count.registered, "orphanedClients", count.orphans, "notLetGo", count.kept)
	switch {
	case err != nil:
		return fmt.Errorf("list the applications; run this again: %w", err)
	case count.kept > 0:
		return fmt.Errorf("applications that keep the finalizer %s, and cannot be deleted: %d; the log names them, with the reasons: mend those, and run this again", Finalizer, count.kept)
	}
	return nil
}

// served tells which namespaces are, whatever becomes of their labels meanwhile.
func (l *LetGo) served(ctx context.Context) (func(namespace string) bool, error) {
	switch {
	case len(l.Namespaces) > 0:
		return sets.New(l.Namespaces...).Has, nil
	case l.NamespaceSelector == nil:
		return func(string) bool { return true }, nil
	}
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := l.Kube.List(ctx, namespaces, client.MatchingLabelsSelector{Selector: l.NamespaceSelector}); err != nil {
		return nil, fmt.Errorf("list the namespaces with the labels %s: %w", l.NamespaceSelector, err)
	}
	selected := sets.New[string]()
	for i := range namespaces.Items {
		selected.Insert(namespaces.Items[i].Name)
	}
	return selected.Has, nil
}

// each visits all applications of the cluster, in pages. Where nobody knows the kind
// any more, there are none.
func (l *LetGo) each(ctx context.Context, visit func(*v1alpha1.FAPIApplication)) error {
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		applications := &v1alpha1.FAPIApplicationList{}
		return applications, l.Kube.List(ctx, applications, &client.ListOptions{Limit: options.Limit, Continue: options.Continue, Raw: &options})
	}
	pages := pager.New(page)
	pages.PageBufferSize = 1 // Read ahead is what has to be kept in memory.
	err := pages.EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		visit(object.(*v1alpha1.FAPIApplication))
		return nil
	})
	if meta.IsNoMatchError(err) {
		return nil
	}
	return err
}

// isOurs tells whether it was this installation's operator that put the finalizer on.
// Outside of what it serves it has let go of its own, as in isForAnother.
func (l *LetGo) isOurs(application *v1alpha1.FAPIApplication, isServed func(namespace string) bool) bool {
	if application.Spec.ServerClassName != l.ServerClassName || !controllerutil.ContainsFinalizer(application, Finalizer) {
		return false
	}
	registered := application.Status.Registration
	return isServed(application.Namespace) || registered == nil || registered.Issuer == l.Issuer
}

// letGoOf takes the finalizer off, and counts the application. One that has gone
// meanwhile is none.
func (l *LetGo) letGoOf(ctx context.Context, application *v1alpha1.FAPIApplication, count *tally) {
	log := l.Log.WithValues("application", client.ObjectKeyFromObject(application).String(), "clientID", clientmetadata.ClientID(application))
	switch err := l.removeFinalizer(ctx, application); {
	case apierrors.IsNotFound(err):
	case err != nil:
		count.kept++
		log.Error(err, "the application is not let go")
	default:
		count.letGo++
		tellOfClient(log, application, count)
	}
}

// removeFinalizer decides anew when somebody else has written to the application.
func (l *LetGo) removeFinalizer(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		conflict := patchFinalizer(ctx, l.Kube, application, controllerutil.RemoveFinalizer)
		if !apierrors.IsConflict(conflict) {
			return conflict
		}
		if err := l.Kube.Get(ctx, client.ObjectKeyFromObject(application), application); err != nil {
			return err
		}
		return conflict
	})
}

// tellOfClient says what becomes of the application's client, and counts it.
func tellOfClient(log logr.Logger, application *v1alpha1.FAPIApplication, count *tally) {
	log = log.WithValues("beingDeleted", !application.DeletionTimestamp.IsZero())
	if application.Status.Registration == nil {
		log.Info("the application is let go; no client is known to be registered for it")
		return
	}
	count.registered++
	if !asksForDeletion(application) {
		log.Info("the application is let go; its client stays registered")
		return
	}
	count.orphans++
	log.Info("the application is let go; its client was to be deleted, and stays registered as an orphan")
}

// asksForDeletion tells whether the application is being deleted, and its client with it.
func asksForDeletion(application *v1alpha1.FAPIApplication) bool {
	return !application.DeletionTimestamp.IsZero() &&
		application.Spec.DeletionPolicy != v1alpha1.DeletionPolicyRetain &&
		application.Annotations[AbandonAnnotation] != "true"
}
