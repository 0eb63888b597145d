package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// passage is one walk of an application through the phases.
type passage struct {
	application *v1alpha1.FAPIApplication // as it was read; its spec is never changed
	clientID    string
	owner       registration.Owner
	status      v1alpha1.FAPIApplicationStatus // what will be written
	now         metav1.Time

	keys     *jose.KeySet // the client's keys, as far as they are known by value
	keyring  *keyring     // the managed ones; nil: none
	resolved clientmetadata.Resolved

	certificate *clientCertificate // the one that the server has to know; nil: none

	// When time alone makes something to do; nil: never.
	keysDue, certificateDue *metav1.Time
}

func (r *Reconciler) begin(application *v1alpha1.FAPIApplication) *passage {
	clientID := clientmetadata.ClientID(application)
	p := &passage{
		application: application,
		clientID:    clientID,
		owner:       r.owner(application),
		now:         metav1.NewTime(r.Now()).Rfc3339Copy(),
		resolved:    clientmetadata.Resolved{CertificateURI: clientmetadata.CertificateURI(r.Installation, clientID)},
	}
	application.Status.DeepCopyInto(&p.status)
	p.status.ObservedGeneration = application.Generation
	p.status.ClientID = clientID
	return p
}

// phase is one step to Ready. It owns a condition, or none.
type phase struct {
	condition string
	run       func(context.Context, *passage) verdict
}

// verdict is how a phase ended.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
	retry   error // tried again with back-off; nil when something has to change
	// unwatched: what has to change may be a Secret that is not watched.
	unwatched bool
}

func holds(reason, message string) verdict {
	return verdict{status: metav1.ConditionTrue, reason: reason, message: message}
}

func fails(reason, message string) verdict {
	return verdict{status: metav1.ConditionFalse, reason: reason, message: message}
}

// unknown is for a cluster that does not answer: it says nothing of the application.
func unknown(err error) verdict {
	return verdict{status: metav1.ConditionUnknown, reason: v1alpha1.ReasonPending, message: "The cluster did not do what was asked; it is asked again.", retry: err}
}

// walk runs the phases in their order up to the first that does not hold, and
// returns the last verdict. The phases behind it are pending.
func (p *passage) walk(ctx context.Context, phases []phase) verdict {
	for i, phase := range phases {
		v := phase.run(ctx, p)
		p.set(phase.condition, v)
		if v.status != metav1.ConditionTrue {
			p.leavePending(phases[i+1:])
			return v
		}
	}
	return verdict{}
}

func (p *passage) leavePending(phases []phase) {
	for _, phase := range phases {
		p.set(phase.condition, verdict{status: metav1.ConditionUnknown, reason: v1alpha1.ReasonPending, message: "An earlier step has to succeed first."})
	}
}

// set writes the condition that a phase owns. A phase without one shows in the
// conditions that stay pending behind it.
func (p *passage) set(condition string, v verdict) {
	if condition == "" {
		return
	}
	meta.SetStatusCondition(&p.status.Conditions, metav1.Condition{
		Type:               condition,
		Status:             v.status,
		Reason:             v.reason,
		Message:            v.message,
		ObservedGeneration: p.application.Generation,
		LastTransitionTime: p.now,
	})
}
