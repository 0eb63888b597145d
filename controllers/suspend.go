package controllers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// suspendHeld stops a client whose spec cannot be registered now, as the server
// holds it: a person who suspends a client in an emergency does not wait for a
// certificate or a Secret.
func (r *Reconciler) suspendHeld(ctx context.Context, p *passage) error {
	if !p.isSuspended() || p.status.Registration == nil || meta.IsStatusConditionTrue(p.status.Conditions, v1alpha1.ConditionRegistered) {
		return nil
	}
	held, err := r.ownClient(ctx, p)
	switch {
	case err != nil:
		return fmt.Errorf("read the client that is to be suspended: %w", err)
	case held == nil || held.Metadata.Suspended != nil && *held.Metadata.Suspended:
		return nil
	}
	held.Metadata.Suspended = new(true)
	record, err := r.put(ctx, p, held.Metadata)
	if err != nil {
		return p.notRegistered(fmt.Errorf("suspend the client: %w", err)).retry
	}
	p.confirmed(record)
	return nil
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
