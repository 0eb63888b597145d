package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// flow is one authorization with one client.
type flow struct {
	client        *fapitest.Client
	person        fapitest.Person
	authorization *fapitest.Authorization
	code          string
	tokens        fapitest.TokenResponse
}

// useClients goes through the flow with every sample's client.
func (d *demo) useClients(ctx context.Context) error {
	for _, application := range d.applications {
		d.account.print("\n   %s: %s\n", application.Name, describe(application))
		if err := d.useClient(ctx, application); err != nil {
			return fmt.Errorf("%s: %w", application.Name, err)
		}
	}
	return nil
}

// describe is what is special about an application, in one line.
func describe(application *v1alpha1.FAPIApplication) string {
	effective := application.Status.Effective
	traits := []string{effective.TokenEndpointAuthMethod, "access tokens bound by " + string(effective.SenderConstraint)}
	if effective.RequireSignedRequestObject {
		traits = append(traits, "signed requests")
	}
	if wantsSignedResponses(application) {
		traits = append(traits, "signed responses")
	}
	return strings.Join(traits, ", ")
}

func (d *demo) useClient(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	client, err := d.openClient(ctx, application)
	if err != nil {
		return err
	}
	defer client.Close()
	f := &flow{client: client, person: d.person, authorization: client.NewAuthorization()}
	actions := []func(context.Context) (string, error){
		f.push,
		f.logIn,
		f.redeem,
		f.askUserInfo,
		f.misuseWithoutProof,
		f.misuseWithAnotherKey,
		f.replayCode,
		f.useAfterReplay,
	}
	for _, action := range actions {
		if err := d.account.timed(func() (string, error) { return action(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) push(ctx context.Context) (string, error) {
	pushed, err := f.client.Push(ctx, f.authorization)
	return fmt.Sprintf("the authorization request is pushed; its request_uri lives %d s", pushed.ExpiresIn), err
}

func (f *flow) logIn(ctx context.Context) (string, error) {
	callback, err := f.client.Authorize(ctx, f.authorization, f.person)
	f.code = callback.Code
	return fmt.Sprintf("%s logs in and consents; the code comes back", f.person.Username), err
}

// redeem holds when the token is bound to what the client has.
func (f *flow) redeem(ctx context.Context) (string, error) {
	var err error
	if f.tokens, err = f.client.Redeem(ctx, f.authorization, f.code); err != nil {
		return "", err
	}
	claims, err := f.client.AccessTokenClaims(ctx, f.tokens.AccessToken)
	if err != nil {
		return "", err
	}
	member, value := "jkt", f.client.Confirmation().JKT
	if value == "" {
		member, value = "x5t#S256", f.client.Confirmation().X5TS256
	}
	confirmation, _ := claims["cnf"].(map[string]any)
	if len(confirmation) != 1 || confirmation[member] != value {
		return "", fmt.Errorf("the token's cnf is %v and not %s %s", confirmation, member, value)
	}
	return fmt.Sprintf("the code becomes an access token for %d s, bound to %s %s", f.tokens.ExpiresIn, member, value), nil
}

func (f *flow) askUserInfo(ctx context.Context) (string, error) {
	claims, err := f.client.UserInfo(ctx, f.tokens.AccessToken)
	if err == nil && (claims["sub"] == nil || claims["sub"] != f.tokens.IDClaims["sub"]) {
		err = fmt.Errorf("userinfo is about %v, the ID token about %v", claims["sub"], f.tokens.IDClaims["sub"])
	}
	return fmt.Sprintf("userinfo answers with the ID token's sub %v", claims["sub"]), err
}

// misuseWithoutProof is the thief who has the token alone.
func (f *flow) misuseWithoutProof(ctx context.Context) (string, error) {
	missing, code := "the certificate", oauth.InvalidToken
	f.client.Misbehave.WithoutCertificate = true
	if f.client.DPoPKey != nil {
		missing, code = "a DPoP proof", oauth.InvalidDPoPProof
		f.client.Misbehave.Header = func(header http.Header) { header.Del("DPoP") }
	}
	defer func() { f.client.Misbehave = fapitest.Misbehave{} }()
	_, err := f.client.UserInfo(ctx, f.tokens.AccessToken)
	return refused("the token without "+missing, err, http.StatusUnauthorized, code)
}

// misuseWithAnotherKey is the thief who brings a key of his own.
func (f *flow) misuseWithAnotherKey(ctx context.Context) (string, error) {
	own := f.client.Identity
	defer func() { f.client.Identity = own }()
	var err error
	another := "certificate"
	if own.DPoPKey != nil {
		another = "DPoP key"
		f.client.DPoPKey, err = jose.GenerateSigningKey(jose.ES256)
	} else {
		f.client.Certificate, err = makeCertificate()
	}
	if err != nil {
		return "", fmt.Errorf("make another %s: %w", another, err)
	}
	_, err = f.client.UserInfo(ctx, f.tokens.AccessToken)
	return refused("the token with another "+another, err, http.StatusUnauthorized, oauth.InvalidToken)
}

// makeCertificate makes one that nobody knows.
func makeCertificate() (*tls.Certificate, error) {
	certificate, key, err := issue(newTemplate("somebody else", leafLifetime), nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	return &pair, err
}

func (f *flow) replayCode(ctx context.Context) (string, error) {
	_, err := f.client.Redeem(ctx, f.authorization, f.code)
	return refused("the code a second time", err, http.StatusBadRequest, oauth.InvalidGrant)
}

// useAfterReplay holds when nobody profits from a code that was stolen (RFC 6749, 4.1.2).
func (f *flow) useAfterReplay(ctx context.Context) (string, error) {
	_, err := f.client.UserInfo(ctx, f.tokens.AccessToken)
	return refused("the token of a code that came twice", err, http.StatusUnauthorized, oauth.InvalidToken)
}

// refused holds when err is the server's refusal with the status and code.
func refused(what string, err error, status int, code oauth.ErrorCode) (string, error) {
	if err == nil {
		return "", fmt.Errorf("%s was accepted", what)
	}
	refusal := &fapitest.ErrorResponse{}
	if !errors.As(err, &refusal) || refusal.Status != status || refusal.Code != code {
		return "", fmt.Errorf("%s was not refused with %d %s: %w", what, status, code, err)
	}
	return fmt.Sprintf("refused: %s (%d %s)", what, refusal.Status, refusal.Code), nil
}
