package protocol

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// keyHolder is the same client with another signing key.
func keyHolder(client *fapitest.Client, key *jose.SigningKey) *fapitest.Client {
	other := client.With(client.Misbehave)
	other.SigningKey = key
	return other
}

func clientKey(t *testing.T) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicKeys(t *testing.T, keys ...*jose.SigningKey) json.RawMessage {
	t.Helper()
	var public []jose.PublicKey
	for _, key := range keys {
		public = append(public, key.Public())
	}
	set, err := json.Marshal(jose.NewKeySet(public...))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestClientChangesItsKeyAndKeepsItsGrants: through the overlap two keys are valid
// at once, so no instance of the client is refused while another one has the new
// key already; a refresh token lives on, whichever key it came with; and after the
// overlap the old key is worth nothing.
func TestClientChangesItsKeyAndKeepsItsGrants(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	registered := server.Register(t, "bank.app", keyAndDPoP)
	old, key := registered.Client, clientKey(t)
	changed := keyHolder(old, key)
	granted := flow(t, server, old)
	_, err := changed.Refresh(t.Context(), granted.RefreshToken, "")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)

	overlap := registered.Metadata
	overlap.JWKS = publicKeys(t, registered.SigningKey, key)
	server.Put(t, overlap)
	later := flow(t, server, changed)
	for _, holder := range []*fapitest.Client{old, changed} {
		for _, refresh := range []string{granted.RefreshToken, later.RefreshToken} {
			renewed, err := holder.Refresh(t.Context(), refresh, "")
			if err != nil {
				t.Fatal(err)
			}
			wantUserInfo(t, holder, renewed.AccessToken)
		}
	}

	after := registered.Metadata
	after.JWKS = publicKeys(t, key)
	server.Put(t, after)
	wantUserInfo(t, changed, granted.AccessToken)
	renewed, err := changed.Refresh(t.Context(), granted.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, changed, renewed.AccessToken)
	_, err = old.Refresh(t.Context(), granted.RefreshToken, "")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
}

// TestRevokedKeyAndWhatItObtainedAreWorthNothing: one registration takes the key
// out and ends what the client has, at every replica at once; what the client
// obtains with another key afterwards is good, also when the same is registered
// again.
func TestRevokedKeyAndWhatItObtainedAreWorthNothing(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (here, there *fapitest.Server){
		"SQLite": func(t *testing.T) (here, there *fapitest.Server) {
			server := fapitest.StartServer(t)
			return server, server
		},
		"PostgreSQL": twoServers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := open(t)
			registered := here.Register(t, "bank.app", keyAndDPoP)
			stolen, key := registered.Client, clientKey(t)
			own, err := stolen.ClientCredentials(t.Context(), "accounts")
			if err != nil {
				t.Fatal(err)
			}
			granted := flow(t, here, stolen)
			bystander := here.Register(t, "bank.other", keyAndDPoP).Client
			others := flow(t, here, bystander)

			revoking := registered.Metadata
			revoking.JWKS, revoking.RevokedKeyIDs = publicKeys(t, key), []string{registered.SigningKey.KeyID()}
			here.Put(t, revoking)
			for _, server := range []*fapitest.Server{here, there} {
				holder := server.At(keyHolder(stolen, key))
				_, err := server.At(stolen).Refresh(t.Context(), granted.RefreshToken, "")
				wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
				_, err = holder.Refresh(t.Context(), granted.RefreshToken, "")
				wantRefusal(t, err, []int{http.StatusBadRequest}, oauth.InvalidGrant)
				for _, accessToken := range []string{own.AccessToken, granted.AccessToken} {
					told, err := holder.Introspect(t.Context(), accessToken)
					if err != nil || told["active"] != false {
						t.Errorf("introspection says %v, %v", told, err)
					}
				}
				if _, err := holder.UserInfo(t.Context(), granted.AccessToken); err == nil {
					t.Error("userinfo takes an access token of the revoked key")
				}
				wantUserInfo(t, server.At(bystander), others.AccessToken)
			}

			fresh := flow(t, here, keyHolder(stolen, key))
			there.Put(t, revoking)
			wantUserInfo(t, there.At(keyHolder(stolen, key)), fresh.AccessToken)
			if _, err := there.At(keyHolder(stolen, key)).Refresh(t.Context(), fresh.RefreshToken, ""); err != nil {
				t.Error(err)
			}
		})
	}
}
