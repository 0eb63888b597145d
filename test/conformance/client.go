package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// clientAlgorithm signs assertions, request objects and proofs. Modules that try
// RS256 need an RSA key, and are left out by the suite for clients with another.
const clientAlgorithm = jose.PS256

// party is one of the two clients that every plan has. Its key and certificate
// are the same in all plans; its client_id is not.
type party struct {
	number      int
	key         *jose.SigningKey
	certificate pair
}

func newParty(number int, authority *authority) (party, error) {
	key, err := jose.GenerateSigningKey(clientAlgorithm)
	if err != nil {
		return party{}, fmt.Errorf("make a client's key: %w", err)
	}
	p := party{number: number, key: key}
	p.certificate, err = authority.issueClient(fmt.Sprintf("client %d", number), p.uri())
	return p, err
}

// uri names the client in its certificate.
func (p party) uri() string { return fmt.Sprintf("urn:fapi-operator:conformance:client:%d", p.number) }

func (p party) clientID(plan plan) string { return fmt.Sprintf("%s-%d", plan.Name, p.number) }

// redirectURI is fixed by the suite: the second client's has a query, whose
// parameters must survive.
func (p party) redirectURI(base string) string {
	if p.number == 1 {
		return base + "/callback"
	}
	return base + "/callback?dummy1=lorem&dummy2=ipsum"
}

// register registers both clients of a plan, whose endpoints of the suite are below base.
func (s *server) register(ctx context.Context, plan plan, base string) error {
	for _, party := range s.parties {
		if err := s.put(ctx, s.metadata(party, plan, base)); err != nil {
			return fmt.Errorf("plan %s: %w", plan.Name, err)
		}
	}
	return nil
}

func (s *server) put(ctx context.Context, metadata registration.Metadata) error {
	_, err := s.registrar.Register(ctx, metadata.ClientID, registration.NoRevision, registration.Request{
		Owner:      registration.Owner{Installation: "conformance", Namespace: "suite", Name: metadata.ClientID},
		Generation: 1, Metadata: metadata,
	})
	return err
}

func (s *server) metadata(party party, plan plan, base string) registration.Metadata {
	variant := plan.Variant
	metadata := registration.Metadata{
		ClientID: party.clientID(plan), ClientName: fmt.Sprintf("Conformance client %d", party.number),
		GrantTypes: []string{oauth.GrantClientCredentials}, Scope: variant.scope(),
	}
	if !variant.forClients() {
		metadata.GrantTypes = []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
		metadata.RedirectURIs = []string{party.redirectURI(base)}
	}
	if variant.usesAssertions() {
		metadata.TokenEndpointAuthMethod, metadata.TokenEndpointAuthSigningAlg = oauth.AuthPrivateKeyJWT, string(clientAlgorithm)
	} else {
		metadata.TokenEndpointAuthMethod, metadata.TLSClientAuthSANURI = oauth.AuthTLSClient, party.uri()
		metadata.TLSClientAuthTrustAnchors = string(s.authority.pem())
	}
	if variant.usesAssertions() || variant.signsRequests() {
		metadata.JWKS = publicKeys(party.key)
	}
	if variant.usesDPoP() {
		metadata.DPoPBoundAccessTokens = new(true)
	}
	if variant.signsRequests() {
		metadata.RequireSignedRequestObject, metadata.RequestObjectSigningAlg = new(true), string(clientAlgorithm)
	}
	if variant.signsResponses() {
		metadata.ResponseModes = []string{oauth.ResponseModeJWT}
	}
	if variant.usesDetails() {
		metadata.AuthorizationDetailsTypes = []string{detailsType}
	}
	return metadata
}

func publicKeys(key *jose.SigningKey) json.RawMessage {
	return fmt.Appendf(nil, `{"keys":[%s]}`, key.Public().JSON())
}

func (p party) privateKeys() (json.RawMessage, error) {
	key, err := p.key.MarshalPrivate()
	if err != nil {
		return nil, fmt.Errorf("write a client's key: %w", err)
	}
	return fmt.Appendf(nil, `{"keys":[%s]}`, key), nil
}
