package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// bindingSecretType reflects the type of the binding (Service Binding for
// Kubernetes, Provisioned Service). The API server lets nobody change it, so that it
// tells a binding from the application's other Secrets.
const bindingSecretType corev1.SecretType = "servicebinding.io/" + bindingType

// BindingSecretName is the Secret of an application's binding.
func BindingSecretName(application *v1alpha1.FAPIApplication) string {
	if binding := application.Spec.Binding; binding != nil && binding.SecretName != "" {
		return binding.SecretName
	}
	return application.Name + "-binding"
}

// keepBinding keeps the Secret that tells software of the client how to reach the server.
func (r *Reconciler) keepBinding(ctx context.Context, p *passage) verdict {
	if p.application.Spec.Binding == nil {
		if err := r.dropBindings(ctx, p, ""); err != nil {
			return unknown(err)
		}
		p.status.Binding = nil
		return holds(v1alpha1.ReasonNotNeeded, "The spec asks for no binding.")
	}
	published, err := r.published(ctx)
	if err != nil {
		return notPublished(err)
	}
	name := BindingSecretName(p.application)
	if v := r.applyBinding(ctx, p, name, p.bindingData(published)); v.status != "" {
		return v
	}
	if err := r.dropBindings(ctx, p, name); err != nil {
		return unknown(err)
	}
	p.status.Binding = &v1alpha1.BindingStatus{Name: name}
	return holds(v1alpha1.ReasonBound, fmt.Sprintf("Secret %s tells how to reach the server.", name))
}

func notPublished(err error) verdict {
	v := fails(v1alpha1.ReasonServerUnavailable, "The authorization server did not tell its endpoints; it is asked again: "+lasting(err))
	if errors.Is(err, errServerCA) {
		v = fails(v1alpha1.ReasonInvalidServerCA, sentence(err))
	}
	v.retry = err
	return v
}

// applyBinding makes the Secret or brings it up to date. The verdict says why it is
// not, and is empty otherwise.
func (r *Reconciler) applyBinding(ctx context.Context, p *passage, name string, data map[string][]byte) verdict {
	if p.isTaken(name) {
		return takenByItself(name, "binding.secretName")
	}
	current := &corev1.Secret{}
	err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: p.application.Namespace, Name: name}, current)
	switch {
	case apierrors.IsNotFound(err):
		return r.createBinding(ctx, p, name, data)
	case err != nil:
		return unknown(fmt.Errorf("read Secret %s: %w", name, err))
	case !isMadeFor(p.application, current):
		p.isNotBoundTo(name)
		return ownedByAnother("Secret", current)
	case current.Type != bindingSecretType:
		return takenByItself(name, "binding.secretName")
	}
	return r.updateBinding(ctx, p, current, data)
}

// isTaken tells whether the application has another Secret of that name, or may come to.
func (p *passage) isTaken(name string) bool {
	return name == ManagedKeySecretName(p.application) || name == NextKeySecretName(p.application) ||
		clientmetadata.HasManagedCertificate(&p.application.Spec) && (name == CertificateSecretName(p.application) || name == issuedSecretName(p.application))
}

// takenByItself names the field that states the name.
func takenByItself(name, field string) verdict {
	return fails(v1alpha1.ReasonOwnedByAnother, fmt.Sprintf("Secret %s is for something else of this application and is left untouched; write another name in %s.", name, field))
}

// isNotBoundTo takes the Secret out of the status, where it has been until somebody deleted it.
func (p *passage) isNotBoundTo(name string) {
	if binding := p.status.Binding; binding != nil && binding.Name == name {
		p.status.Binding = nil
	}
}

func (r *Reconciler) createBinding(ctx context.Context, p *passage, name string, data map[string][]byte) verdict {
	p.isNotBoundTo(name)
	secret, err := r.newSecretFor(p.application, name, bindingSecretType, data)
	if err == nil {
		err = r.Kube.Create(ctx, secret, client.FieldOwner(FieldManager))
	}
	if err != nil {
		return unknown(fmt.Errorf("make Secret %s: %w", name, err))
	}
	return verdict{}
}

// updateBinding writes what is new. The Secret holds nothing else: software takes
// every entry for one of the binding.
func (r *Reconciler) updateBinding(ctx context.Context, p *passage, current *corev1.Secret, data map[string][]byte) verdict {
	wanted := current.DeepCopy()
	wanted.Data = data
	if err := controllerutil.SetControllerReference(p.application, wanted, r.Kube.Scheme()); err != nil {
		return ownedByAnother("Secret", current)
	}
	if equality.Semantic.DeepEqual(current, wanted) {
		return verdict{}
	}
	if err := r.Kube.Update(ctx, wanted, client.FieldOwner(FieldManager)); err != nil {
		return unknown(fmt.Errorf("write Secret %s: %w", wanted.Name, err))
	}
	return verdict{}
}

// dropBindings deletes the application's bindings under other names than this one.
func (r *Reconciler) dropBindings(ctx context.Context, p *passage, keep string) error {
	names, err := r.bindingNames(ctx, p)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == keep {
			continue
		}
		if err := r.deleteBinding(ctx, p.application, name); err != nil {
			return err
		}
	}
	return nil
}

// bindingNames are those of Secrets that may be a binding: the one in the status,
// which the cache may not know yet, and those in the cache, which a status that was
// lost does not know.
func (r *Reconciler) bindingNames(ctx context.Context, p *passage) ([]string, error) {
	made := &metav1.PartialObjectMetadataList{}
	made.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.Kube.List(ctx, made, client.InNamespace(p.application.Namespace), client.MatchingLabels(labelsFor(p.application))); err != nil {
		return nil, fmt.Errorf("list the Secrets that were made for the application: %w", err)
	}
	var names []string
	if p.status.Binding != nil {
		names = append(names, p.status.Binding.Name)
	}
	for i := range made.Items {
		if name := made.Items[i].Name; !p.isTaken(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// deleteBinding deletes the Secret, if it is there and a binding.
func (r *Reconciler) deleteBinding(ctx context.Context, application *v1alpha1.FAPIApplication, name string) error {
	secret := &corev1.Secret{}
	if err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: application.Namespace, Name: name}, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read Secret %s: %w", name, err)
	}
	if !isMadeFor(application, secret) || secret.Type != bindingSecretType {
		return nil
	}
	return r.deleteRead(ctx, "Secret", secret)
}
