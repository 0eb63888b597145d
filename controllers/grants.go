package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// namedObject is the Secret or ConfigMap that a reference of an application leads to.
type namedObject struct {
	application           *v1alpha1.FAPIApplication
	kind, namespace, name string
}

func secretNamed(application *v1alpha1.FAPIApplication, reference v1alpha1.SecretReference) namedObject {
	return namedObject{application, "Secret", cmp.Or(reference.Namespace, application.Namespace), reference.Name}
}

func configMapNamed(application *v1alpha1.FAPIApplication, reference v1alpha1.ConfigMapReference) namedObject {
	return namedObject{application, "ConfigMap", cmp.Or(reference.Namespace, application.Namespace), reference.Name}
}

func (n namedObject) String() string {
	if n.isForeign() {
		return fmt.Sprintf("%s %s of namespace %s", n.kind, n.name, n.namespace)
	}
	return n.kind + " " + n.name
}

// isForeign tells whether somebody else decides who may read the object: whoever may
// write in its namespace.
func (n namedObject) isForeign() bool { return n.namespace != n.application.Namespace }

// permits asks the object's metadata whether the application may have it read.
func (n namedObject) permits(object metav1.Object) error {
	lacksLabel := n.kind == "Secret" && !isLabeled(object)
	switch {
	case n.isForeign() && (lacksLabel || !isGranted(object, n.application.Namespace)):
		return n.isNotGranted()
	case lacksLabel:
		return n.isUnlabeled()
	}
	return nil
}

// isGranted tells whether an annotation of the object grants it to a namespace.
func isGranted(object metav1.Object, namespace string) bool {
	return slices.ContainsFunc(strings.Split(object.GetAnnotations()[v1alpha1.GrantedToAnnotation], ","), func(granted string) bool {
		granted = strings.TrimSpace(granted)
		return granted == namespace || granted == "*"
	})
}

// isMissing: a Secret that is made without the label comes unseen.
func (n namedObject) isMissing() error {
	if n.isForeign() {
		return n.isNotGranted()
	}
	missing := &referenceError{reason: v1alpha1.ReasonReferenceNotFound, message: n.String() + " is not there"}
	if n.kind == "Secret" {
		missing.message += "; make it with the label " + v1alpha1.ApplicationLabel
		missing.unwatched = true
	}
	return missing
}

// isNotGranted does not tell whether the object is there: that is for its namespace to know.
func (n namedObject) isNotGranted() error {
	refused := &referenceError{
		reason: v1alpha1.ReasonReferenceNotGranted,
		message: fmt.Sprintf("%s is not there, or not granted to this namespace: it needs the annotation %s=%s",
			n, v1alpha1.GrantedToAnnotation, n.application.Namespace),
	}
	if n.kind == "Secret" {
		refused.message += " and the label " + v1alpha1.ApplicationLabel
		refused.unwatched = true
	}
	return refused
}

// isOutOfReach: the operator's rights are those for a list of namespaces.
func (n namedObject) isOutOfReach() error {
	return &referenceError{
		reason:    v1alpha1.ReasonReferenceNotGranted,
		message:   fmt.Sprintf("the operator may not read in namespace %s, which is none of those that it serves; name a %s of this namespace", n.namespace, n.kind),
		unwatched: true,
	}
}

func (n namedObject) isUnlabeled() error {
	return &referenceError{
		reason: v1alpha1.ReasonReferenceNotLabeled,
		message: fmt.Sprintf("%s lacks the label %s, so nothing of it is read: kubectl label secret %s --namespace %s %s=%s puts it on",
			n, v1alpha1.ApplicationLabel, n.name, n.namespace, v1alpha1.ApplicationLabel, n.application.Name),
		unwatched: true,
	}
}

func (n namedObject) lacks(entry string) error {
	return &referenceError{reason: v1alpha1.ReasonReferenceNotFound, message: fmt.Sprintf("entry %s of %s is not there", entry, n)}
}
