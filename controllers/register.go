package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// register makes the server hold the client as the spec means it.
func (r *Reconciler) register(ctx context.Context, p *passage) verdict {
	metadata := clientmetadata.FromApplication(p.application, p.resolved)
	wanted, err := registration.ContentHash(metadata)
	if err != nil {
		return fails(v1alpha1.ReasonInvalidKeys, sentence(err))
	}
	record, err := r.confirm(ctx, p, wanted)
	if errors.Is(err, errDrifted) {
		record, err = r.put(ctx, p, metadata)
	}
	if owned, is := errors.AsType[*registration.OwnedByAnotherError](err); is && p.mayAdopt(owned.Owner) {
		record, err = r.adopt(ctx, p, metadata, owned.Owner)
	}
	if err != nil {
		return p.notRegistered(err)
	}
	p.confirmed(record)
	if err := r.serve(ctx, p); err != nil {
		return notServed(record.Revision, err)
	}
	return holds(v1alpha1.ReasonRegistered, fmt.Sprintf("The authorization server %s holds the client.", record.Issuer))
}

// errDrifted: the server does not hold what the spec means.
var errDrifted = errors.New("the registration differs from the spec")

// confirm finds out what the server holds, where it should hold the wanted content
// already: by the latest listing, or by a read where that says otherwise.
func (r *Reconciler) confirm(ctx context.Context, p *passage, wanted string) (registration.Record, error) {
	if p.status.Registration == nil || p.status.Registration.ContentHash != wanted {
		return registration.Record{}, errDrifted
	}
	if held, known := r.held.client(p.clientID); known && p.isHeld(held.Summary, wanted) {
		return registration.Record{Summary: held.Summary, Issuer: held.issuer}, nil
	}
	return r.read(ctx, p, wanted)
}

func (p *passage) isHeld(held registration.Summary, wanted string) bool {
	return held.ContentHash == wanted && held.Owner == p.owner
}

// read asks the server. Only a proven absence counts as one.
func (r *Reconciler) read(ctx context.Context, p *passage, wanted string) (registration.Record, error) {
	held, err := r.ownClient(ctx, p)
	switch {
	case err != nil:
		return registration.Record{}, err
	case held == nil || !p.isHeld(held.Summary, wanted):
		return registration.Record{}, errDrifted
	}
	r.held.note(*held)
	return *held, nil
}

// ownClient is the application's client as the server holds it; nil where it holds none.
func (r *Reconciler) ownClient(ctx context.Context, p *passage) (*registration.Record, error) {
	held, err := r.Registrar.Client(ctx, p.clientID)
	countCall("read", err)
	switch {
	case errors.Is(err, registration.ErrNotFound), errors.Is(err, registration.ErrOwnedByOtherInstallation):
		return nil, nil
	case err != nil:
		return nil, err
	case held.Owner != p.owner:
		return nil, nil
	}
	return &held, nil
}

func (r *Reconciler) put(ctx context.Context, p *passage, metadata registration.Metadata) (registration.Record, error) {
	return r.write(ctx, p, registration.Request{Owner: p.owner, Generation: p.application.Generation, Metadata: metadata})
}

func (r *Reconciler) write(ctx context.Context, p *passage, request registration.Request) (registration.Record, error) {
	record, err := r.Registrar.Register(ctx, p.clientID, r.lastKnown(p), request)
	countCall("register", err)
	if err == nil {
		r.held.note(record)
		ctrl.LoggerFrom(ctx).Info("the client is registered", "clientID", p.clientID, "revision", record.Revision)
		p.status.Registration = &v1alpha1.RegistrationStatus{LastRegistered: &p.now}
	}
	return record, err
}

// lastKnown is the revision that the server was last known to hold: by the latest
// listing or, before the first one, by the status.
func (r *Reconciler) lastKnown(p *passage) int64 {
	held, known := r.held.client(p.clientID)
	if stated := p.application.Status.Registration; !known && stated != nil {
		return stated.Revision
	}
	return held.Revision
}

// confirmed notes what the server holds.
func (p *passage) confirmed(record registration.Record) {
	registered := p.status.Registration
	registered.Issuer, registered.Revision, registered.ContentHash = record.Issuer, record.Revision, record.ContentHash
}

// serve makes sure that every ready replica serves the registration, so that a
// client that is Ready is known wherever its request arrives. Once it was said
// to be, nobody is asked again: a replica begins to serve where the others are.
func (r *Reconciler) serve(ctx context.Context, p *passage) error {
	before := p.application.Status
	if r.Replicas == nil || before.Registration != nil && before.Registration.Revision == p.status.Registration.Revision &&
		meta.IsStatusConditionTrue(before.Conditions, v1alpha1.ConditionRegistered) {
		return nil
	}
	return r.Replicas.Serve(ctx, p.status.Registration.Revision)
}

// notServed: the registration stands, and is looked at again when the replicas
// serve more, or after a while.
func notServed(revision int64, err error) verdict {
	v := fails(v1alpha1.ReasonNotServed, fmt.Sprintf("The authorization server holds the client as revision %d, and not every replica is known to serve it: %s.", revision, err))
	v.retry = err
	return v
}

// notRegistered: a refusal and another owner are final; everything else is tried
// again, and so is what the server's configuration forbids, since nobody tells when that
// changes.
func (p *passage) notRegistered(err error) verdict {
	var rejected *registration.RejectedError
	var owned *registration.OwnedByAnotherError
	switch {
	case errors.As(err, &rejected):
		return fails(v1alpha1.ReasonRejectedByServer, listFindings(clientmetadata.Locate(rejected.Violations)))
	case errors.As(err, &owned):
		return fails(v1alpha1.ReasonOwnedByAnother, p.notOurs(owned.Owner))
	case errors.Is(err, registration.ErrOwnedByOtherInstallation):
		return fails(v1alpha1.ReasonOwnedByAnother, ofOtherInstallation)
	case errors.Is(err, registration.ErrInstallationNotAllowed):
		v := fails(v1alpha1.ReasonInstallationNotAllowed, p.installationNotAllowed())
		v.retry = err
		return v
	}
	v := fails(v1alpha1.ReasonServerUnavailable, "The authorization server did not confirm the registration; it is tried again: "+lasting(err))
	v.retry = err
	return v
}
