package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
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
