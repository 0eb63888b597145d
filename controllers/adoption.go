package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// mayAdopt tells whether the application asks for the owner's client, by name, and a
// policy of its namespace allows that.
func (p *passage) mayAdopt(owner registration.Owner) bool {
	return p.application.Annotations[v1alpha1.AdoptFromAnnotation] == owner.String() && clientmetadata.MayAdopt(owner, p.resolved.Policies)
}

// adopt takes the client over from its owner. Between the answer that named the owner
// and this, the client may have changed hands: the server takes it from nobody else.
func (r *Reconciler) adopt(ctx context.Context, p *passage, metadata registration.Metadata, owner registration.Owner) (registration.Record, error) {
	record, err := r.write(ctx, p, registration.Request{Owner: p.owner, PreviousOwner: &owner, Generation: p.application.Generation, Metadata: metadata})
	if err == nil {
		ctrl.LoggerFrom(ctx).Info("the client is taken over", "clientID", p.clientID, "previousOwner", owner.String())
		r.event(p, corev1.EventTypeNormal, "Adopted", "Register", fmt.Sprintf("Client %s was %s's, and is this application's now.", p.clientID, owner))
	}
	return record, err
}

// ofOtherInstallation is all that the server tells of a client whose installation this
// operator may not act for.
const ofOtherInstallation = "The client identifier is registered for an installation that the authorization server does not let this operator act for, and is left untouched; " +
	"choose another clientID, or have that installation added for this operator in the server's listeners.private.boundClientSANs, to take the client over."

// installationNotAllowed says which installation it is that the server refuses.
func (p *passage) installationNotAllowed() string {
	return fmt.Sprintf("The authorization server does not let this operator act for its installation %s; whoever runs the server adds it for this operator in listeners.private.boundClientSANs. It is tried again.", p.owner.Installation)
}

// notOurs says whose the client is, and what there is to do about it.
func (p *passage) notOurs(owner registration.Owner) string {
	whose := fmt.Sprintf("The client identifier is registered for %s (installation/namespace/name) and is left untouched; ", owner)
	switch asked := p.application.Annotations[v1alpha1.AdoptFromAnnotation]; asked {
	case "":
		return whose + "choose another clientID, remove the other registration, or take it over (annotation " + v1alpha1.AdoptFromAnnotation + ")."
	case owner.String():
		return whose + "no FAPIPolicy of this namespace lists that owner in adoptableOwners."
	default:
		return whose + "annotation " + v1alpha1.AdoptFromAnnotation + " names another owner."
	}
}
