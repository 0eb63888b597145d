package par

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const issuer = "https://as.example"

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// registeredKeys are the client's own.
type registeredKeys struct{ keys *jose.KeySet }

func (k registeredKeys) ClientKeys(context.Context, *fapi.Client) (*jose.KeySet, error) {
	return k.keys, nil
}

// signedObject is a client, its keys, and a request object that it has signed.
func signedObject(t *testing.T) (*fapi.Client, *jose.KeySet, string) {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys := jose.NewKeySet(key.Public())
	jwks, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	client, violations := fapi.AdmitClient(registration.Metadata{
		ClientID: "team.app", TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, JWKS: jwks, Scope: "openid",
		GrantTypes: []string{oauth.GrantAuthorizationCode}, RedirectURIs: []string{"https://app.example/callback"},
	}, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	signed, err := key.Sign(oauth.TypeRequestObject, map[string]any{
		"iss": "team.app", "client_id": "team.app", "aud": issuer, "nbf": noon.Unix(), "exp": noon.Add(time.Minute).Unix(), "scope": "openid",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, keys, signed
}

// Another replica may have made the key that a client encrypts to: the keys are
// read again, and only then is the request object refused.
func TestRequestObjectToAnUnknownKeyIsTriedAgain(t *testing.T) {
	t.Parallel()
	client, keys, signed := signedObject(t)
	old, err := jose.GenerateDecryptionKey(jose.ECDHES)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := jose.GenerateDecryptionKey(jose.ECDHES)
	if err != nil {
		t.Fatal(err)
	}
	object, err := jose.Encrypt([]byte(signed), oauth.TypeRequestObject, fresh.Public(), jose.ECDHES, jose.A256GCM)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name             string
		known, refreshed []*jose.DecryptionKey
		asked            int
		opens            bool
	}{
		{"known", []*jose.DecryptionKey{old, fresh}, nil, 0, true},
		{"known once it was looked for", []*jose.DecryptionKey{old}, []*jose.DecryptionKey{old, fresh}, 1, true},
		{"known nowhere", []*jose.DecryptionKey{old}, []*jose.DecryptionKey{old}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			objects := &RequestObjects{
				Issuer: issuer, Keys: registeredKeys{keys}, Now: func() time.Time { return noon },
				DecryptionKeys: func() []*jose.DecryptionKey { return test.known },
				RefreshedDecryptionKeys: func(context.Context) []*jose.DecryptionKey {
					asked++
					return test.refreshed
				},
			}
			parameters, refusal := objects.Open(t.Context(), object, client)
			if asked != test.asked || (refusal == nil) != test.opens {
				t.Fatalf("asked %d times, and then: %v", asked, refusal)
			}
			if refusal != nil && refusal.Code != oauth.InvalidRequestObject {
				t.Errorf("refused with %v", refusal)
			}
			if test.opens && parameters.Get(oauth.ParamScope) != "openid" {
				t.Errorf("the parameters are lost: %v", parameters)
			}
		})
	}
}
