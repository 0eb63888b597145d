// Package vectors holds the rule book's test vectors: real registrations with
// the rules that each of them breaks. The rule book, the admission webhook and
// the registration endpoint are all asked about the same ones.
package vectors

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// TrustBundle is the one bundle of trust anchors that the server is to know when
// the vectors are run.
const TrustBundle = "example-roots"

// Scopes lists what the server is to offer when the vectors are run.
func Scopes() []string { return []string{"accounts", "payments", "reports"} }

// Resources lists what the server is to issue access tokens for when the vectors are run.
func Resources() []string { return []string{"https://api.example.com"} }

// AuthorizationDetailsTypes lists what the server is to declare when the vectors
// are run.
func AuthorizationDetailsTypes() []string {
	return []string{"account_information", "payment_initiation"}
}

// Vector is one registration and what the rule book is to say of it.
type Vector struct {
	// Name is the name of the file, without its extension.
	Name        string `json:"-"`
	Description string `json:"description"`
	// Manifest is false when no FAPIApplication can say this; ManifestReason says why.
	Manifest       bool   `json:"manifest"`
	ManifestReason string `json:"manifest_reason"`
	// Breaks lists every broken rule, in the rule book's order; a rule that is
	// broken by two members stands twice. Empty for a client that is admitted.
	Breaks []oauth.RuleID `json:"breaks"`
	// Passes lists the rules of which this vector is an example that holds.
	Passes []oauth.RuleID `json:"passes"`
	// Metadata is client metadata (RFC 7591, 2) as it is sent.
	Metadata json.RawMessage `json:"metadata"`
}

//go:embed registration/*.json
var files embed.FS

// Registration loads the vectors of client registration, in the order of their
// names. It panics if an embedded file is not a vector.
func Registration() []Vector {
	entries, err := files.ReadDir("registration")
	if err != nil {
		panic(fmt.Sprintf("list the embedded vectors: %v", err))
	}
	vectors := make([]Vector, len(entries))
	for i, entry := range entries {
		vectors[i] = load(entry.Name())
	}
	return vectors
}

func load(file string) Vector {
	data, err := files.ReadFile(path.Join("registration", file))
	if err != nil {
		panic(fmt.Sprintf("read the embedded vector %s: %v", file, err))
	}
	vector := Vector{Name: strings.TrimSuffix(file, ".json"), Manifest: true}
	if err := json.Unmarshal(data, &vector); err != nil {
		panic(fmt.Sprintf("read the embedded vector %s: %v", file, err))
	}
	return vector
}
