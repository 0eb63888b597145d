// Package plan says what a change of a FAPIApplication would change at the
// authorization server, and what of that breaks something for whom.
package plan

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Difference is what differs in one metadata member.
type Difference struct {
	Member string
	// Removed and Added are items of lists, or the values before and after.
	Removed, Added []string
	// Breaks says in words what no longer works.
	Breaks []string
}

// Grant is what a person granted, as far as a change can touch it.
type Grant struct {
	Scopes       []string
	DetailsTypes []string
}

// Grants are those in force for the client. Counted is false where nobody asked.
type Grants struct {
	Counted bool
	Grants  []Grant
}

// Compare gives the differences between what is registered and what would be, in
// the order of their members' names. Keys that stand outside of both specs are
// known by what the status of the one in force says.
func Compare(before, after *v1alpha1.FAPIApplication, grants Grants) []Difference {
	c := comparison{before: sideOf(before, before), after: sideOf(after, before), grants: grants}
	old, changed := c.before.values(), c.after.values()
	var differences []Difference
	for _, member := range slices.Sorted(maps.Keys(union(old, changed))) {
		removed, added := without(old[member], changed[member]), without(changed[member], old[member])
		if len(removed)+len(added) > 0 {
			differences = append(differences, Difference{Member: member, Removed: removed, Added: added, Breaks: c.breaks(member, removed, added)})
		}
	}
	return differences
}

// side is one end of a comparison.
type side struct {
	metadata registration.Metadata
	keyIDs   []string
}

// sideOf resolves the keys of a spec by what the status of the application in
// force says, where both take them from the same place.
func sideOf(application, inForce *v1alpha1.FAPIApplication) side {
	s := side{metadata: clientmetadata.FromApplication(application, clientmetadata.Resolved{CertificateURI: managedName}).WithDefaults()}
	switch {
	case s.metadata.JWKS != nil:
		s.keyIDs = keyIDs(s.metadata.JWKS)
	case sameSource(application, inForce) && inForce.Status.Keys != nil:
		s.keyIDs = inForce.Status.Keys.KeyIDs
	}
	return s
}

// managedName stands for the name that the operator derives, which depends on the installation.
const managedName = "(the name in the certificate that the operator manages)"

func sameSource(a, b *v1alpha1.FAPIApplication) bool {
	if a.Spec.Keys == nil || b.Spec.Keys == nil || a.Spec.Keys.Source != b.Spec.Keys.Source {
		return false
	}
	return equal(a.Spec.Keys.SecretRef, b.Spec.Keys.SecretRef) && equal(a.Spec.Keys.ConfigMapRef, b.Spec.Keys.ConfigMapRef)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// keyIDs names keys by their kid, or by their thumbprint (RFC 7638) without one.
func keyIDs(set json.RawMessage) []string {
	parsed, err := jose.ParseKeySet(set)
	if err != nil {
		return nil
	}
	var ids []string
	for _, key := range parsed.Keys() {
		if id := key.KeyID(); id != "" {
			ids = append(ids, id)
		} else {
			ids = append(ids, key.Thumbprint())
		}
	}
	return ids
}

// Members that are compared otherwise than by their JSON.
const (
	memberKeys    = "jwks"
	memberScope   = "scope"
	memberAnchors = "fapi_operator_tls_client_auth_trust_anchors"
)

// values are the items of lists, and one value of every other member.
func (s side) values() map[string][]string {
	encoded, err := s.metadata.Encode()
	if err != nil {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil
	}
	values := map[string][]string{memberKeys: s.keyIDs}
	for member, value := range members {
		var list []string
		switch {
		case member == memberKeys:
		case member == memberScope:
			values[member] = oauth.SpaceSeparated(s.metadata.Scope)
		case member == memberAnchors:
			values[member] = []string{fmt.Sprintf("certificates with the SHA-256 %x", sha256.Sum256([]byte(s.metadata.TLSClientAuthTrustAnchors)))}
		case json.Unmarshal(value, &list) == nil:
			values[member] = list
		default:
			values[member] = []string{strings.Trim(string(value), `"`)}
		}
	}
	return values
}

func union(a, b map[string][]string) map[string][]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

func without(from, what []string) []string {
	var rest []string
	for _, value := range from {
		if !slices.Contains(what, value) {
			rest = append(rest, value)
		}
	}
	return rest
}
