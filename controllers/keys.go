package controllers

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// resolveKeys finds the client's public keys, or makes them.
func (r *Reconciler) resolveKeys(ctx context.Context, p *passage) verdict {
	keys := p.application.Spec.Keys
	if keys == nil {
		p.status.Keys = nil
		return holds(v1alpha1.ReasonNotNeeded, "The spec states no keys.")
	}
	p.status.Keys = &v1alpha1.KeysStatus{Source: keys.Source}
	switch keys.Source {
	case v1alpha1.KeySourceJWKSURI:
		return holds(v1alpha1.ReasonKeysResolved, "The authorization server fetches the keys from keys.jwksURI.")
	case v1alpha1.KeySourceManaged:
		return r.keepManagedKeys(ctx, p)
	}
	stated, err := r.statedKeySet(ctx, p.application)
	if err != nil {
		return unresolved(err)
	}
	return r.useKeySet(p, stated)
}

// statedKeySet reads the key set that somebody else keeps.
func (r *Reconciler) statedKeySet(ctx context.Context, application *v1alpha1.FAPIApplication) (json.RawMessage, error) {
	keys := application.Spec.Keys
	switch keys.Source {
	case v1alpha1.KeySourceSecretRef:
		return r.secretEntry(ctx, application, *keys.SecretRef)
	case v1alpha1.KeySourceConfigMapRef:
		return r.configMapEntry(ctx, application, *keys.ConfigMapRef)
	}
	return keys.JWKS.Raw, nil
}

// useKeySet takes the set for the client's, if it is one of public keys that
// the rule book finds fit. The key of a managed certificate is added later.
func (r *Reconciler) useKeySet(p *passage, raw json.RawMessage) verdict {
	keys, err := jose.ParseKeySet(raw)
	switch {
	case errors.Is(err, jose.ErrPrivateKey):
		return fails(v1alpha1.ReasonPrivateKeyInJWKS, sentence(err))
	case err != nil:
		return fails(v1alpha1.ReasonInvalidKeys, sentence(err))
	}
	p.keys = keys
	p.status.Keys.KeyIDs = keyIDs(keys)
	if !clientmetadata.RegistersCertificate(&p.application.Spec) {
		p.resolved.JWKS = raw
	}
	if findings := r.judge(p); len(findings) > 0 {
		return fails(v1alpha1.ReasonInvalidKeys, listFindings(findings))
	}
	return holds(v1alpha1.ReasonKeysResolved, "The client's public keys are known.")
}

func keyIDs(keys *jose.KeySet) []string {
	var ids []string
	for _, key := range keys.Keys() {
		if key.KeyID() != "" {
			ids = append(ids, key.KeyID())
		}
	}
	return ids
}
