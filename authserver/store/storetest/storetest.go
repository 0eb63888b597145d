// Package storetest is the store's contract as tests: every backend passes the
// same suite.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// tick is the smallest step of time that a store keeps.
const tick = time.Microsecond

// clause is one sentence of the contract.
type clause struct {
	name  string
	check func(c *contract)
}

// Run holds a backend to the contract. open gives an empty store, each time
// another one; Run closes it.
func Run(t *testing.T, open func(t testing.TB) store.Store) {
	chapters := []struct {
		name    string
		clauses []clause
	}{
		{"schema", schemaClauses},
		{"clients", clientClauses},
		{"pushed requests", pushedRequestClauses},
		{"interactions", interactionClauses},
		{"sessions", sessionClauses},
		{"codes", codeClauses},
		{"grants", grantClauses},
		{"single use", singleUseClauses},
		{"server keys", serverKeyClauses},
		{"expiry", expiryClauses},
		{"administration", administrationClauses},
	}
	for _, chapter := range chapters {
		t.Run(chapter.name, func(t *testing.T) {
			t.Parallel()
			for _, clause := range chapter.clauses {
				t.Run(clause.name, func(t *testing.T) { clause.check(newContract(t, open)) })
			}
		})
	}
}

// contract is a store under test, with a clock that stands still and a
// registered client.
type contract struct {
	*testing.T
	store  store.Store
	ctx    context.Context
	now    time.Time
	client string
}

func newContract(t *testing.T, open func(t testing.TB) store.Store) *contract {
	t.Helper()
	opened := open(t)
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	c := &contract{
		T: t, store: opened, ctx: t.Context(), client: "bank.web",
		// With nanoseconds, which a store cuts off.
		now: time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.FixedZone("elsewhere", 3600)),
	}
	c.register(c.client)
	return c
}

var owner = registration.Owner{Installation: "prod", Namespace: "bank", Name: "web"}

func (c *contract) register(clientID string, origins ...string) store.ClientRecord {
	c.Helper()
	record, _, err := c.store.PutClient(c.ctx, c.write(clientID, 1, origins...))
	c.succeeds(err)
	return record
}

func (c *contract) write(clientID string, generation int64, origins ...string) store.ClientWrite {
	return store.ClientWrite{
		Owner: owner, Generation: generation, Now: c.now,
		Metadata: registration.Metadata{
			ClientID:       clientID,
			ClientName:     fmt.Sprintf("Web shop, %d", generation),
			RedirectURIs:   []string{"https://shop.example/cb"},
			JWKS:           []byte(`{"keys":[]}`),
			AllowedOrigins: origins,
		},
	}
}

// d is a distinct digest for each name.
func d(name string) oauth.Digest { return sha256.Sum256([]byte(name)) }

func (c *contract) request() store.AuthorizationRequest {
	maxAge := int64(300)
	return store.AuthorizationRequest{
		ClientID: c.client, RedirectURI: "https://shop.example/cb", Scope: []string{"openid", "accounts"},
		State: "état \"x\" \x00", Nonce: "n-0S6", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
		Claims: `{"id_token":{"acr":null}}`, MaxAge: &maxAge, Prompt: []string{"consent"}, HintedSubject: "~alice",
		AuthorizationDetails: json.RawMessage(`[{"type":"payment","amount":0.10,"note":"\u003cé\u003e"}]`),
	}
}

func (c *contract) authentication() store.Authentication {
	return store.Authentication{Subject: "alice", Time: c.now.Add(-time.Minute).UTC(), ACR: "urn:x", AMR: []string{"pwd", "otp"}}
}

// push keeps a request under the name, for 90 s.
func (c *contract) push(name string) store.PushedRequest {
	c.Helper()
	request := store.PushedRequest{URI: d(name), Request: c.request(), ExpiresAt: c.now.Add(90 * time.Second)}
	c.succeeds(c.store.PushRequest(c.ctx, request))
	return request
}

// interact begins an interaction over a pushed request, for 30 min.
func (c *contract) interact(name, request string) store.Interaction {
	c.Helper()
	interaction := store.Interaction{ID: d(name), RequestURI: d(request), Request: c.request(), ExpiresAt: c.now.Add(30 * time.Minute)}
	c.succeeds(c.store.BeginInteraction(c.ctx, interaction, nil))
	return interaction
}

func (c *contract) grantOf(name string) (store.Grant, store.Code) {
	grant := store.Grant{
		ID: name, Request: c.request(), Authentication: c.authentication(), Scope: []string{"openid"},
		CreatedAt: c.now, ExpiresAt: c.now.Add(24 * time.Hour),
	}
	return grant, store.Code{Digest: d("code of " + name), GrantID: name, ClientID: c.client, ExpiresAt: c.now.Add(time.Minute)}
}

// grant takes a request all the way to its grant and code.
func (c *contract) grant(name string) (store.Grant, store.Code) {
	c.Helper()
	c.push("request of " + name)
	c.interact("interaction of "+name, "request of "+name)
	grant, code := c.grantOf(name)
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("interaction of "+name), grant, code, c.now))
	return grant, code
}

func (c *contract) refreshOf(grant store.Grant) store.RefreshToken {
	return store.RefreshToken{Digest: d("refresh of " + grant.ID), GrantID: grant.ID, ClientID: c.client, ExpiresAt: c.now.Add(24 * time.Hour)}
}

func (c *contract) succeeds(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *contract) fails(err, wanted error) {
	c.Helper()
	if !errors.Is(err, wanted) {
		c.Fatalf("got error %v, want %v", err, wanted)
	}
}

func (c *contract) same(got, want any) {
	c.Helper()
	asKept := cmp.Comparer(func(a, b time.Time) bool { return a.Truncate(tick).Equal(b.Truncate(tick)) })
	if difference := cmp.Diff(want, got, asKept); difference != "" {
		c.Fatalf("(-want +got)\n%s", difference)
	}
}

// racers is how many callers try the same thing at once.
const racers = 32

// race calls attempt from many goroutines at once and gives their errors.
func race(attempt func(i int) error) []error {
	errs := make([]error, racers)
	var start, end sync.WaitGroup
	start.Add(1)
	for i := range racers {
		end.Go(func() {
			start.Wait()
			errs[i] = attempt(i)
		})
	}
	start.Done()
	end.Wait()
	return errs
}

// oneWins checks that exactly one attempt succeeded and all others failed with loss.
func (c *contract) oneWins(errs []error, loss error) {
	c.Helper()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		c.fails(err, loss)
	}
	if winners != 1 {
		c.Fatalf("%d of %d succeeded, want exactly 1", winners, len(errs))
	}
}
