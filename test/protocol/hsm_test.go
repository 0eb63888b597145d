//go:build pkcs11

package protocol

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/softhsm"
)

// prepareWithToken prepares a server whose signing keys are in a token of its own,
// from its first start on. Its test is not parallel to others.
func prepareWithToken(t *testing.T) (*fapitest.Server, softhsm.Token) {
	t.Helper()
	token := softhsm.New(t, "")
	server := fapitest.Prepare(t, fmt.Sprintf("keys: {pkcs11: {moduleFile: %s, tokenLabel: %s, pinFile: %s}}", softhsm.ModuleFile, token.Label, token.PINFile))
	server.ForgetSeed(t)
	return server, token
}

// publishedKids are those of the keys that verify the server's signatures.
func publishedKids(t *testing.T, server *fapitest.Server, client *fapitest.Client) []string {
	t.Helper()
	_, body := get(t, client, server.Issuer+"/jwks")
	set, err := jose.ParseKeySet(body)
	if err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, key := range set.Keys() {
		if key.Use() == "sig" {
			kids = append(kids, key.KeyID())
		}
	}
	slices.Sort(kids)
	return kids
}

// A client of each algorithm goes through a whole flow, before and after a restart,
// and across a rotation: whatever the server signs is signed in the token.
func TestAServerSignsInAToken(t *testing.T) {
	server, _ := prepareWithToken(t)
	server.Start(t)
	t.Cleanup(func() { server.Stop() }) // The one that was started last.
	var clients []*fapitest.Client
	for _, algorithm := range jose.SignatureAlgorithms() {
		client := server.Register(t, "bank."+string(algorithm), fapitest.Profile{
			AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true, JARM: true, Algorithm: algorithm,
			Change: func(metadata *registration.Metadata) {
				metadata.IDTokenSignedResponseAlg = string(algorithm)
				metadata.AuthorizationSignedResponseAlg = string(algorithm)
				metadata.UserinfoSignedResponseAlg = string(algorithm)
			},
		}).Client
		client.WantsSignedUserinfo = true
		clients = append(clients, client)
	}
	all := func() {
		t.Helper()
		for _, client := range clients {
			flow(t, server, client)
		}
	}
	all()
	before := publishedKids(t, server, clients[0])
	server.Stop()
	server.Start(t)
	all()
	if after := publishedKids(t, server, clients[0]); !slices.Equal(before, after) {
		t.Errorf("a restart has other keys: %v, %v", before, after)
	}
	server.Clock.Advance(month)
	server.TurnKeys(t)
	all()
	if kids := publishedKids(t, server, clients[0]); len(kids) != 2*len(before) {
		t.Errorf("%d signing keys are published during a rotation, want %d", len(kids), 2*len(before))
	}
	server.Clock.Advance(2 * time.Hour)
	all()
}

// A server without its token answers with an error that tells nothing, is not
// ready, and goes on once the token is back.
func TestAServerWhoseTokenIsAway(t *testing.T) {
	server, token := prepareWithToken(t)
	server.Start(t)
	t.Cleanup(server.Stop)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	authorization, issued := code(t, server, client)
	away := token.Directory + ".away"
	rename(t, token.Directory, away)
	_, err := client.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, []int{http.StatusInternalServerError}, oauth.ServerError)
	if response, body := get(t, client, server.HealthURL+"/readyz"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the server says that it is ready: %s", body)
	}
	rename(t, away, token.Directory)
	awaitReady(t, server, client)
	_, err = client.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	flow(t, server, client)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// awaitReady polls: a connection to a token is tried once a second.
func awaitReady(t *testing.T, server *fapitest.Server, client *fapitest.Client) {
	t.Helper()
	const deadline, pace = 10 * time.Second, 50 * time.Millisecond
	for end := time.Now().Add(deadline); ; <-time.After(pace) {
		response, body := get(t, client, server.HealthURL+"/readyz")
		if response.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the server is not ready: %s", body)
		}
	}
}

// A process that was killed has logged out of the token, whatever it left there.
func TestKilledServerFindsItsKeysInTheToken(t *testing.T) {
	prepared, _ := prepareWithToken(t)
	running := startProcess(t, prepared)
	client := prepared.Register(t, "bank.app", keyAndDPoP).Client
	client.Now = time.Now
	flow(t, prepared, client)
	before := publishedKids(t, prepared, client)
	running.kill()
	startProcess(t, prepared)
	flow(t, prepared, client)
	if after := publishedKids(t, prepared, client); !slices.Equal(before, after) {
		t.Errorf("a restart has other keys: %v, %v", before, after)
	}
}
