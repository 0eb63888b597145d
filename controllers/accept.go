package controllers

import (
	"context"
	"errors"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// accept asks the rules about the spec again: a webhook can be bypassed, and
// rules and policies change.
func (r *Reconciler) accept(ctx context.Context, p *passage) verdict {
	p.status.Profile, p.status.Effective = "", nil
	if err := r.resolvePolicies(ctx, p); err != nil {
		return unknown(err)
	}
	missing := r.resolveTrustAnchors(ctx, p)
	if findings := r.judge(p); len(findings) > 0 {
		return fails(v1alpha1.ReasonRefused, listFindings(findings))
	}
	if missing != nil {
		return unresolved(missing)
	}
	effective := clientmetadata.FromApplication(p.application, p.resolved).WithDefaults()
	p.status.Profile = string(clientmetadata.Profile(effective))
	p.status.Effective = effectiveSettings(effective)
	return holds(v1alpha1.ReasonAccepted, "Every rule admits the spec.")
}

func (r *Reconciler) judge(p *passage) []clientmetadata.Finding {
	return clientmetadata.Judge(p.application, p.resolved, r.Limits)
}

func listFindings(findings []clientmetadata.Finding) string {
	lines := make([]string, len(findings))
	for i, finding := range findings {
		lines[i] = finding.String()
	}
	return strings.Join(lines, ". ") + "."
}

func (r *Reconciler) resolveTrustAnchors(ctx context.Context, p *passage) error {
	tls := p.application.Spec.ClientAuthentication.TLS
	if tls == nil || tls.TrustAnchors == nil || tls.TrustAnchors.ConfigMapRef == nil {
		return nil
	}
	anchors, err := r.configMapEntry(ctx, p.application, *tls.TrustAnchors.ConfigMapRef)
	p.resolved.TrustAnchors = string(anchors)
	return err
}

// unresolved tells a reference that leads to nothing yet from a cluster that does
// not answer.
func unresolved(err error) verdict {
	var reference *referenceError
	if !errors.As(err, &reference) {
		return unknown(err)
	}
	v := fails(reference.reason, sentence(err))
	v.unwatched = reference.unwatched
	return v
}

func effectiveSettings(effective registration.Metadata) *v1alpha1.EffectiveSettings {
	settings := &v1alpha1.EffectiveSettings{
		GrantTypes:                      effective.GrantTypes,
		ResponseTypes:                   effective.ResponseTypes,
		TokenEndpointAuthMethod:         effective.TokenEndpointAuthMethod,
		TokenEndpointAuthSigningAlg:     effective.TokenEndpointAuthSigningAlg,
		SenderConstraint:                v1alpha1.SenderConstraintMutualTLS,
		AccessTokenLifetime:             &metav1.Duration{Duration: time.Duration(*effective.AccessTokenLifetime) * time.Second},
		RequestObjectSigningAlg:         effective.RequestObjectSigningAlg,
		AuthorizationResponseSigningAlg: effective.AuthorizationSignedResponseAlg,
		IDTokenSigningAlg:               effective.IDTokenSignedResponseAlg,
		RequireSignedRequestObject:      *effective.RequireSignedRequestObject,
		PKCEMethod:                      effective.CodeChallengeMethod,
		Scopes:                          oauth.SpaceSeparated(effective.Scope),
		AuthorizationDetailsTypes:       effective.AuthorizationDetailsTypes,
	}
	if *effective.DPoPBoundAccessTokens {
		settings.SenderConstraint = v1alpha1.SenderConstraintDPoP
	}
	if effective.RequirePushedAuthorizationRequests != nil {
		settings.RequirePushedAuthorizationRequests = *effective.RequirePushedAuthorizationRequests
	}
	return settings
}
