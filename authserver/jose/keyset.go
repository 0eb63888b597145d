package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// The bounds of a JWK Set; our own choices. The size is that of a hundred keys with a short certificate chain each.
const (
	MaxKeySetBytes = 512 << 10
	MaxKeys        = 100
)

// KeySet is a parsed public JWK Set (RFC 7517, 5). It is immutable and safe for concurrent use; a nil one is empty.
type KeySet struct {
	keys []PublicKey
}

// NewKeySet makes a set of keys that were checked before.
func NewKeySet(keys ...PublicKey) *KeySet {
	return &KeySet{keys: slices.Clone(keys)}
}

// ParseKeySet reads a JWK Set and refuses it as a whole when anything is wrong with any of its keys; the error says
// which key. It is for sets that a person or a client states (jwks). Several keys may share a kid. A set without keys
// is legal and verifies nothing.
// Errors: ErrMalformed, ErrPrivateKey, ErrUnsupportedKey.
func ParseKeySet(raw []byte) (*KeySet, error) {
	set, ignored, err := ParseFetchedKeySet(raw)
	if err != nil {
		return nil, err
	}
	if len(ignored) > 0 {
		return nil, ignored[0]
	}
	return set, nil
}

// ParseFetchedKeySet reads a JWK Set that somebody publishes for many readers (jwks_uri). A key that cannot be used
// here is left out, as RFC 7517, 5 asks, and the reason is returned in ignored; but a document that is no JWK Set, or
// that shows a private key, is refused.
// Errors: ErrMalformed, ErrPrivateKey.
func ParseFetchedKeySet(raw []byte) (set *KeySet, ignored []error, err error) {
	entries, err := readKeyArray(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("JWK Set: %w", err)
	}
	set = &KeySet{}
	for i, entry := range entries {
		key, err := parsePublicJWK(entry)
		if err == nil {
			set.keys = append(set.keys, key)
			continue
		}
		err = fmt.Errorf("JWK Set: key %d%s: %w", i, describeKeyID(entry), err)
		if errors.Is(err, ErrPrivateKey) {
			return nil, nil, err
		}
		ignored = append(ignored, err)
	}
	return set, ignored, nil
}

func readKeyArray(raw []byte) ([]json.RawMessage, error) {
	if len(raw) > MaxKeySetBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrMalformed, MaxKeySetBytes)
	}
	members, err := readObject(raw)
	if err != nil {
		return nil, err
	}
	if err := checkNotPrivate(members); err != nil {
		return nil, err
	}
	array, present := members["keys"]
	if !present {
		return nil, fmt.Errorf(`%w: no "keys" member; a single key is written {"keys":[...]}`, ErrMalformed)
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(array, &entries); err != nil {
		return nil, fmt.Errorf(`%w: "keys" is not an array`, ErrMalformed)
	}
	if len(entries) > MaxKeys {
		return nil, fmt.Errorf("%w: more than %d keys", ErrMalformed, MaxKeys)
	}
	return entries, nil
}

// describeKeyID names the key in an error message, at bounded length.
func describeKeyID(entry json.RawMessage) string {
	const maxShown = 64
	var named struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal(entry, &named); err != nil || named.KeyID == "" {
		return ""
	}
	if len(named.KeyID) > maxShown {
		return fmt.Sprintf(" (kid %.*q...)", maxShown, named.KeyID)
	}
	return fmt.Sprintf(" (kid %q)", named.KeyID)
}

// all makes a nil set an empty one.
func (s *KeySet) all() []PublicKey {
	if s == nil {
		return nil
	}
	return s.keys
}

// Keys returns the keys in the order of the set.
func (s *KeySet) Keys() []PublicKey { return slices.Clone(s.all()) }

// Len returns the number of keys.
func (s *KeySet) Len() int { return len(s.all()) }

// MarshalJSON writes the set with public members only, each key in its canonical form.
func (s *KeySet) MarshalJSON() ([]byte, error) {
	set := struct {
		Keys []PublicKey `json:"keys"`
	}{Keys: append([]PublicKey{}, s.all()...)}
	return json.Marshal(set)
}

// CanVerify reports whether a signature of alg could be verified by some key of the set.
func (s *KeySet) CanVerify(alg SignatureAlgorithm) bool {
	return slices.ContainsFunc(s.all(), func(key PublicKey) bool { return key.CanVerify(alg) })
}

// CanEncrypt reports whether content could be encrypted with alg to some key of the set.
func (s *KeySet) CanEncrypt(alg KeyManagementAlgorithm) bool {
	return slices.ContainsFunc(s.all(), func(key PublicKey) bool { return key.CanEncrypt(alg) })
}
