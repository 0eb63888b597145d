package registration

import (
	"encoding/json"
	"testing"
)

func hashOf(t *testing.T, metadata Metadata) string {
	t.Helper()
	hash, err := ContentHash(metadata)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// A hash is kept for years and compared by other versions of the program: this
// one stands here so that nobody changes the canonical form unawares.
func TestContentHashIsFixed(t *testing.T) {
	t.Parallel()
	metadata := Metadata{
		ClientID: "bank.app", ClientName: "A & B <bank>", GrantTypes: []string{"authorization_code"},
		RedirectURIs: []string{"https://app.example.com/cb?a=1&b=2"},
		JWKS:         json.RawMessage(`{"keys":[]}`), DPoPBoundAccessTokens: new(true), AccessTokenLifetime: new(int64(300)),
	}
	const want = "26187091a0e939da76ccedb77a5f015afc468454bdc61291a67905c852599beb"
	if got := hashOf(t, metadata); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestContentHashTellsContentApart(t *testing.T) {
	t.Parallel()
	base := Metadata{ClientID: "bank.app", RedirectURIs: []string{"https://a.example", "https://b.example"}}
	changed := map[string]Metadata{
		"another name":            {ClientID: "bank.app2", RedirectURIs: base.RedirectURIs},
		"another order":           {ClientID: "bank.app", RedirectURIs: []string{"https://b.example", "https://a.example"}},
		"one more member":         {ClientID: "bank.app", RedirectURIs: base.RedirectURIs, Scope: "openid"},
		"a stated false":          {ClientID: "bank.app", RedirectURIs: base.RedirectURIs, Suspended: new(false)},
		"text in another element": {ClientID: "bank.app", RedirectURIs: []string{"https://a.example\",\"https://b.example"}},
	}
	for name, metadata := range changed {
		if hashOf(t, metadata) == hashOf(t, base) {
			t.Errorf("%s has the same hash", name)
		}
	}
}

func TestContentHashIgnoresHowKeysAreLaidOut(t *testing.T) {
	t.Parallel()
	compact := Metadata{JWKS: json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256"}]}`)}
	spacious := Metadata{JWKS: json.RawMessage("\n{ \"keys\" : [\r\n\t{\"kty\": \"EC\",\n \"crv\": \"P-256\" } ] }\n")}
	if hashOf(t, compact) != hashOf(t, spacious) {
		t.Error("white space in the jwks changes the hash")
	}
}

func TestContentHashOfKeysThatAreNotJSON(t *testing.T) {
	t.Parallel()
	if hash, err := ContentHash(Metadata{JWKS: json.RawMessage(`{"keys":`)}); err == nil {
		t.Errorf("a hash of a broken document: %s", hash)
	}
}

func TestRecordReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	record := Record{
		Summary:  Summary{ClientID: "bank.app", Owner: Owner{"eu-1", "bank", "app"}, Generation: 3, Revision: 41, ContentHash: "ab"},
		Issuer:   "https://as.example.com",
		Metadata: Metadata{ClientID: "bank.app", Suspended: new(true)},
	}
	encoded, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	var read Record
	if err := Decode(encoded, &read); err != nil {
		t.Fatalf("%v\n%s", err, encoded)
	}
	if read.Summary != record.Summary || read.Issuer != record.Issuer || hashOf(t, read.Metadata) != hashOf(t, record.Metadata) {
		t.Errorf("%+v, want %+v", read, record)
	}
	if got := read.Owner.String(); got != "eu-1/bank/app" {
		t.Errorf("the owner reads %s", got)
	}
}
