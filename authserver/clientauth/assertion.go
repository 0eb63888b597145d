package clientauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// byAssertion is private_key_jwt (RFC 7523; OpenID Connect Core, 9). The client
// is the one that the assertion names, so client_id need not be sent.
func (a *Authenticator) byAssertion(ctx context.Context, form oauth.Form) (*fapi.Client, *oauth.Error) {
	facts := fapi.ClientAssertion{ServerIssuer: a.Issuer, Now: a.Now(), ClientID: form.Get(oauth.ParamClientID)}
	if refusal := a.readAssertion(ctx, form.Get(oauth.ParamClientAssertion), &facts); refusal != nil {
		return nil, refusal
	}
	if refusal := fapi.CheckClientAssertion(facts); refusal != nil {
		return nil, refusal
	}
	if refusal := a.useOnce(ctx, &facts); refusal != nil {
		return nil, refusal
	}
	if refusal := fapi.CheckClientAssertion(facts); refusal != nil {
		return nil, refusal
	}
	return facts.Client, nil
}

// readAssertion finds out the facts. It refuses only when it cannot.
func (a *Authenticator) readAssertion(ctx context.Context, compact string, facts *fapi.ClientAssertion) *oauth.Error {
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		facts.Fault = err
		return nil
	}
	facts.Algorithm = unverified.Algorithm()
	facts.HasForeignType = unverified.Type() != "" &&
		!unverified.TypeIs(oauth.TypeJWT) && !unverified.TypeIs(fapi.TypeClientAuthentication)
	facts.Issuer = unverified.UnverifiedClaims("iss")
	facts.Subject = unverified.UnverifiedClaims("sub")
	client, refusal := a.lookUp(ctx, facts.Subject)
	if refusal != nil {
		return refusal
	}
	facts.Client = client
	verified, err := a.verify(ctx, unverified, client)
	if err != nil {
		facts.Fault = err
		return nil
	}
	facts.Fault = verified.Claims(&facts.Claims)
	return nil
}

// errUnknownClient is the cause in the log when the assertion names nobody.
var errUnknownClient = errors.New("no such client is registered")

// keysError is what is wrong with a client's keys. It hides its cause from
// errors.Is: a malformed key set must not pass for a malformed assertion.
type keysError struct{ cause error }

func (e keysError) Error() string { return "keys of the client: " + e.cause.Error() }

// verify checks the signature with the client's keys, and reads them again when
// none fits. For an unknown client it does the same work with a decoy's keys.
func (a *Authenticator) verify(ctx context.Context, assertion *jose.UnverifiedJWT, client *fapi.Client) (*jose.VerifiedJWT, error) {
	if client == nil {
		_, _ = assertion.Verify(decoyKeys())
		return nil, errUnknownClient
	}
	keys, err := a.Keys.ClientKeys(ctx, client)
	if err != nil {
		return nil, keysError{err}
	}
	verified, err := assertion.Verify(keys)
	if !errors.Is(err, jose.ErrNoKey) {
		return verified, err
	}
	if keys, err = a.Keys.RefreshedClientKeys(ctx, client); err != nil {
		return nil, keysError{err}
	}
	return assertion.Verify(keys)
}

// useOnce records the jti, for as long as the assertion could be accepted. It
// comes after the signature: nobody else can use up a client's values.
func (a *Authenticator) useOnce(ctx context.Context, facts *fapi.ClientAssertion) *oauth.Error {
	value := oauth.Digest(sha256.Sum256([]byte(facts.Client.ID() + " " + *facts.Claims.ID)))
	forgetAt := facts.Claims.ExpiresAt.Time().Add(2 * fapi.PastSkew) // once more for replicas whose clocks differ
	fresh, err := a.Replay.UseOnce(ctx, store.SpaceClientAssertion, value, forgetAt)
	if err != nil {
		return &oauth.Error{Code: oauth.ServerError, Cause: fmt.Errorf("remember the client assertion: %w", err)}
	}
	facts.Replayed = !fresh
	return nil
}
