package integration

import (
	"errors"
	"testing"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// instance is an application that has read its Secret now, at the whole server.
func (w *workshop) instance(t *testing.T, server *fapitest.Server, dpop *jose.SigningKey) *fapitest.Client {
	t.Helper()
	client := &fapitest.Client{
		Identity: fapitest.Identity{
			ClientID: w.namespace + ".planner", RedirectURI: "https://app.example.com/callback", Scope: "openid accounts",
			AuthMethod: oauth.AuthPrivateKeyJWT, SigningKey: managedKey(t, w.bank, "planner"), DPoPKey: dpop,
		},
		Issuer: server.Issuer, Roots: server.Authority.Pool(), Now: server.Clock.Now,
	}
	t.Cleanup(client.Close)
	return client
}

func requireRefreshed(t *testing.T, what string, client *fapitest.Client, refreshToken string, want oauth.ErrorCode) {
	t.Helper()
	_, err := client.Refresh(t.Context(), refreshToken, "")
	refusal, refused := errors.AsType[*fapitest.ErrorResponse](err)
	switch {
	case err == nil && want != "":
		t.Errorf("%s: it was admitted, want %s", what, want)
	case err != nil && (!refused || refusal.Code != want):
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// The operator, a real API server and the whole authorization server: instances
// that have read the Secret at different times are served all through a rotation,
// consents live on, and a revoked key is worth nothing.
func TestApplicationIsServedThroughARotationAndNotAfterARevocation(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	w := openWorkshop(t)
	w.reconciler.Registrar = server.Registrar
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	dpop := newKey(t)
	slow := w.instance(t, server, dpop)
	_, granted, err := slow.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}

	w.advance(keyPeriod)
	w.walk(t, "planner")
	quick := w.instance(t, server, dpop)
	if quick.SigningKey.KeyID() == slow.SigningKey.KeyID() {
		t.Fatal("the key did not rotate")
	}
	requireRefreshed(t, "with the old key in the overlap", slow, granted.RefreshToken, "")
	requireRefreshed(t, "with the new key in the overlap", quick, granted.RefreshToken, "")

	w.advance(keyOverlap)
	w.walk(t, "planner")
	requireRefreshed(t, "with the old key after the overlap", slow, granted.RefreshToken, oauth.InvalidClient)
	requireRefreshed(t, "with the new key after the overlap", quick, granted.RefreshToken, "")

	w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, quick.SigningKey.KeyID())
	w.walk(t, "planner")
	restarted := w.instance(t, server, dpop)
	requireRefreshed(t, "with the revoked key", quick, granted.RefreshToken, oauth.InvalidClient)
	requireRefreshed(t, "with what the revoked key obtained", restarted, granted.RefreshToken, oauth.InvalidGrant)
	_, fresh, err := restarted.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	requireRefreshed(t, "with the key after that", restarted, fresh.RefreshToken, "")
}
