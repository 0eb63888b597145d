package protocol

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestDroppedSigningKey: what the key has signed is refused at the replica where
// it was dropped from the answer on, and at the other one within five seconds; what
// is signed after it is good at both at once.
func TestDroppedSigningKey(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	administrator := here.PrivateCaller(t, fapitest.AdministratorSAN)
	client := here.Register(t, "bank.app", keyAndDPoP).Client
	elsewhere := there.At(client)
	refused := flow(t, here, client)
	wantUserInfo(t, elsewhere, refused.AccessToken)
	kids := []string{kidOf(t, refused.AccessToken), kidOf(t, refused.IDToken)}
	for _, kid := range slices.Compact(kids) {
		if dropped := dropKey(t, here, administrator, kid); dropped != 1 {
			t.Fatalf("%v keys were dropped", dropped)
		}
	}

	wantRefusedTokens(t, client, refused)
	wantKeySetWithout(t, here, client, kids)
	fresh, err := client.Refresh(t.Context(), refused.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, client, fresh.AccessToken)
	wantUserInfo(t, elsewhere, fresh.AccessToken)
	hint := flow(t, here, client).IDToken
	push(t, with(elsewhere, map[string]string{oauth.ParamIDTokenHint: hint}))

	here.Clock.Advance(fapi.KeyReadInterval)
	wantRefusedTokens(t, elsewhere, refused)
	wantKeySetWithout(t, there, elsewhere, kids)
	another, err := elsewhere.Refresh(t.Context(), refused.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(kids, kidOf(t, another.AccessToken)) {
		t.Error("the other replica signs with the dropped key")
	}
	wantUserInfo(t, client, another.AccessToken)
	wantUserInfo(t, elsewhere, another.AccessToken)
	if dropped := dropKey(t, there, there.PrivateCaller(t, fapitest.AdministratorSAN), kids[0]); dropped != 0 {
		t.Errorf("at the other replica, %v more keys were dropped", dropped)
	}
}

// dropKey tells how many keys the server says to have dropped.
func dropKey(t *testing.T, server *fapitest.Server, administrator *http.Client, kid string) any {
	t.Helper()
	status, answer, err := server.Private(t, administrator, http.MethodDelete, "/administration/keys/"+kid)
	if err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v, %v", status, answer, err)
	}
	return int(answer["keys_dropped"].(float64))
}

func kidOf(t *testing.T, compact string) string {
	t.Helper()
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		t.Fatal(err)
	}
	return unverified.KeyID()
}

// wantRefusedTokens demands that nothing believes what a dropped key has signed;
// the grant and its refresh token are not touched.
func wantRefusedTokens(t *testing.T, client *fapitest.Client, tokens fapitest.TokenResponse) {
	t.Helper()
	_, err := client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	wantIntrospection(t, client, tokens.AccessToken, inactive)
	hinting := with(client, map[string]string{oauth.ParamIDTokenHint: tokens.IDToken})
	_, err = hinting.Push(t.Context(), hinting.NewAuthorization())
	wantRefusal(t, err, badRequest, oauth.InvalidRequest)
}

func wantKeySetWithout(t *testing.T, server *fapitest.Server, client *fapitest.Client, kids []string) {
	t.Helper()
	set := (&relyingParty{server: server, client: client}).keySet(t)
	wantUnambiguous(t, set)
	for _, key := range set.Keys() {
		if slices.Contains(kids, key.KeyID()) {
			t.Errorf("the dropped key %s is published", key.KeyID())
		}
	}
	for _, algorithm := range jose.SignatureAlgorithms() {
		if !set.CanVerify(algorithm) {
			t.Errorf("nothing is published for %s", algorithm)
		}
	}
}

// TestDroppedEncryptionKey: what was encrypted to the key opens no more, at either
// replica, and what is encrypted to the next one opens at both.
func TestDroppedEncryptionKey(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	administrator := here.PrivateCaller(t, fapitest.AdministratorSAN)
	profile := keyAndDPoP
	profile.Signed = true
	profile.Change = func(m *registration.Metadata) {
		m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc = string(jose.ECDHESA256KW), string(jose.A256GCM)
	}
	client := here.Register(t, "bank.app", profile)
	before := fapitest.Misbehave{SignRequestObject: encrypted(t, here, client, jose.ECDHESA256KW, jose.A256GCM)}
	kid := encryptionKey(t, here, client.Client, jose.ECDHESA256KW).KeyID()
	push(t, client.With(before))
	dropKey(t, here, administrator, kid)
	after := fapitest.Misbehave{SignRequestObject: encrypted(t, here, client, jose.ECDHESA256KW, jose.A256GCM)}
	push(t, client.With(after))
	push(t, there.At(client.With(after)))
	for _, at := range []*fapitest.Client{client.With(before), there.At(client.With(before))} {
		_, err := at.Push(t.Context(), at.NewAuthorization())
		wantRefusal(t, err, badRequest, oauth.InvalidRequestObject)
	}
}

// TestDroppedKeyAtAResourceServer: whoever introspects refuses what a dropped key
// has signed from the answer on; whoever goes by the key set alone believes it
// for as long as the key set may be cached.
func TestDroppedKeyAtAResourceServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	administrator := server.PrivateCaller(t, fapitest.AdministratorSAN)
	introspecting := server.StartAccounts(t, "bank.introspecting-api", fapitest.ResourceServer{})
	unchecked := server.StartAccounts(t, "bank.unchecked-api", fapitest.ResourceServer{Unchecked: true})
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	for _, api := range []*fapitest.Accounts{introspecting, unchecked} {
		if _, err := client.GetAccounts(t.Context(), api.URL, tokens.AccessToken); err != nil {
			t.Fatal(err)
		}
	}
	dropKey(t, server, administrator, kidOf(t, tokens.AccessToken))
	_, err := client.GetAccounts(t.Context(), introspecting.URL, tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)

	server.Clock.Advance(fapi.KeySetMaxAge - time.Second)
	if _, err := client.GetAccounts(t.Context(), unchecked.URL, tokens.AccessToken); err != nil {
		t.Fatalf("the documentation says that the key is believed: %v", err)
	}
	server.Clock.Advance(time.Second)
	_, err = client.GetAccounts(t.Context(), unchecked.URL, tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
}
