package controllers

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// steps are the conditions that Ready sums up, in the order of the phases.
var steps = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionKeysReady, v1alpha1.ConditionCertificateReady, v1alpha1.ConditionRegistered,
	v1alpha1.ConditionBindingReady,
}

// finalReasons are those that only a person can mend.
var finalReasons = []string{
	v1alpha1.ReasonRefused, v1alpha1.ReasonInvalidKeys, v1alpha1.ReasonPrivateKeyInJWKS, v1alpha1.ReasonUnknownKey,
	v1alpha1.ReasonRejectedByServer, v1alpha1.ReasonOwnedByAnother,
}

// summarize derives Ready, Stalled and Reconciling from the other conditions.
func (p *passage) summarize() {
	blocking := p.firstNotTrue()
	switch {
	case !p.application.DeletionTimestamp.IsZero():
		p.notReady(v1alpha1.ConditionReconciling, v1alpha1.ReasonDeleting, "The client is being removed from the authorization server.")
	case blocking == nil && p.isSuspended():
		p.set(v1alpha1.ConditionReady, fails(v1alpha1.ReasonSuspended, "The client is registered, and the server refuses its requests: spec.suspended is true."))
		p.progress("")
	case blocking == nil:
		p.set(v1alpha1.ConditionReady, holds(v1alpha1.ReasonReady, "The client can be used."))
		p.progress("")
	case slices.Contains(finalReasons, blocking.Reason):
		p.notReady(v1alpha1.ConditionStalled, blocking.Reason, blocking.Message)
	default:
		p.notReady(v1alpha1.ConditionReconciling, blocking.Reason, blocking.Message)
	}
}

func (p *passage) firstNotTrue() *metav1.Condition {
	for _, step := range steps {
		condition := meta.FindStatusCondition(p.status.Conditions, step)
		if condition == nil {
			return &metav1.Condition{Type: step, Reason: v1alpha1.ReasonPending}
		}
		if condition.Status != metav1.ConditionTrue {
			return condition
		}
	}
	return nil
}

func (p *passage) notReady(progress, reason, message string) {
	p.set(v1alpha1.ConditionReady, fails(reason, message))
	p.progress(progress)
	p.set(progress, holds(reason, message))
}

// progress leaves at most one of Stalled and Reconciling: kstatus wants them
// present only while they are true.
func (p *passage) progress(condition string) {
	for _, other := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		if other != condition {
			meta.RemoveStatusCondition(&p.status.Conditions, other)
		}
	}
}

func (p *passage) isStalled() bool {
	return meta.IsStatusConditionTrue(p.status.Conditions, v1alpha1.ConditionStalled)
}

func (p *passage) isSuspended() bool {
	return p.application.Spec.Suspended != nil && *p.application.Spec.Suspended
}
