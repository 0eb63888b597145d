package protocol

import (
	"net/http"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestAccessTokensEndWithTheEpoch: a client's access tokens, those that hang on no
// grant too, do not come back when it is registered again after a deletion, or
// resumed after a suspension; any other change of the client ends none. It is so
// at every replica at once.
func TestAccessTokensEndWithTheEpoch(t *testing.T) {
	t.Parallel()
	here, there := twoServers(t)
	api := here.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	registered := here.Register(t, "bank.app", keyAndDPoP)
	client := registered.Client
	changed := registered.Metadata
	changed.ClientName = "Another name"
	suspended := registered.Metadata
	suspended.Suspended = new(true)
	owner := registration.Owner{Installation: "test", Namespace: "bank", Name: registered.ClientID}

	for name, test := range map[string]struct {
		change func()
		ends   bool
	}{
		"another change": {func() { here.Put(t, changed); here.Put(t, registered.Metadata) }, false},
		"suspension":     {func() { here.Put(t, suspended); there.Put(t, registered.Metadata) }, true},
		"deletion": {func() {
			if err := here.Registrar.Delete(t.Context(), registered.ClientID, owner); err != nil {
				t.Fatal(err)
			}
			there.Put(t, registered.Metadata)
		}, true},
	} {
		own, err := client.ClientCredentials(t.Context(), "accounts")
		if err != nil {
			t.Fatal(err)
		}
		granted := flow(t, here, client)
		test.change()
		for _, at := range []*fapitest.Client{client, there.At(client)} {
			for _, accessToken := range []string{own.AccessToken, granted.AccessToken} {
				told, err := at.Introspect(t.Context(), accessToken)
				if err != nil || told["active"] != !test.ends {
					t.Errorf("after %s: introspection says %v, %v", name, told, err)
				}
			}
			if _, err := at.UserInfo(t.Context(), granted.AccessToken); (err != nil) != test.ends {
				t.Errorf("after %s: userinfo: %v", name, err)
			}
		}
		if _, err := client.GetAccounts(t.Context(), api.URL, own.AccessToken); (err != nil) != test.ends {
			t.Errorf("after %s: accounts: %v", name, err)
		}
		fresh, err := there.At(client).ClientCredentials(t.Context(), "accounts")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.GetAccounts(t.Context(), api.URL, fresh.AccessToken); err != nil {
			t.Errorf("after %s, a token of now: %v", name, err)
		}
	}
	// What ends with a suspension are access tokens: the grant goes on.
	refresh := flow(t, here, client).RefreshToken
	here.Put(t, suspended)
	here.Put(t, registered.Metadata)
	renewed, err := client.Refresh(t.Context(), refresh, "")
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, there.At(client), renewed.AccessToken)
	if err := here.Registrar.Delete(t.Context(), registered.ClientID, owner); err != nil {
		t.Fatal(err)
	}
	here.Put(t, registered.Metadata)
	_, err = client.Refresh(t.Context(), refresh, "")
	wantRefusal(t, err, []int{http.StatusBadRequest}, oauth.InvalidGrant)
}
