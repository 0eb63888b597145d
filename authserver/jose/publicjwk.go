package jose

import (
	"encoding/json"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// privateMembers are the members of private and symmetric keys of every key type (RFC 7518, 6; RFC 9964 for "priv").
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// PrivateMembers lists the members that no key may have which is to be public.
func PrivateMembers() []string { return slices.Clone(privateMembers) }

// publicMembers are the members that are read. The others are left out, x5u among them: it is never followed.
var publicMembers = []string{"kty", "use", "alg", "kid", "crv", "x", "y", "n", "e", "x5c", "x5t", "x5t#S256"}

// parsePublicJWK reads one JWK that has to be public.
func parsePublicJWK(raw []byte) (PublicKey, error) {
	members, err := readObject(raw)
	if err != nil {
		return PublicKey{}, err
	}
	if err := checkNotPrivate(members); err != nil {
		return PublicKey{}, err
	}
	if err := checkKeyType(members); err != nil {
		return PublicKey{}, err
	}
	keyOps, err := readKeyOps(members)
	if err != nil {
		return PublicKey{}, err
	}
	jwk, err := decodeJWK(pick(members, publicMembers))
	if err != nil {
		return PublicKey{}, err
	}
	return newPublicKey(jwk, keyOps)
}

// checkNotPrivate goes by presence alone: an empty private member is a mistake as well.
func checkNotPrivate(members map[string]json.RawMessage) error {
	for _, name := range privateMembers {
		if _, present := members[name]; present {
			return fmt.Errorf("%w: remove member %q and replace the key, since it has been shown", ErrPrivateKey, name)
		}
	}
	return nil
}

func checkKeyType(members map[string]json.RawMessage) error {
	keyType, err := stringMember(members, "kty")
	if err != nil {
		return err
	}
	curve, err := stringMember(members, "crv")
	if err != nil {
		return err
	}
	switch keyType {
	case "":
		return fmt.Errorf(`%w: no "kty"`, ErrMalformed)
	case keyTypeRSA:
		return nil
	case keyTypeEC:
		return checkCurve(curve, "P-256", "P-384", "P-521")
	case keyTypeOKP:
		return checkCurve(curve, "Ed25519")
	}
	return fmt.Errorf("%w: key type; use RSA, EC or OKP", ErrUnsupportedKey)
}

func checkCurve(curve string, supported ...string) error {
	for _, name := range supported {
		if curve == name {
			return nil
		}
	}
	return fmt.Errorf("%w: curve; use one of %q", ErrUnsupportedKey, supported)
}

func readKeyOps(members map[string]json.RawMessage) ([]string, error) {
	raw, present := members["key_ops"]
	if !present {
		return nil, nil
	}
	var operations []string
	if err := json.Unmarshal(raw, &operations); err != nil {
		return nil, fmt.Errorf(`%w: "key_ops" is not an array of strings`, ErrMalformed)
	}
	return operations, nil
}

func pick(members map[string]json.RawMessage, names []string) map[string]json.RawMessage {
	picked := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		if value, present := members[name]; present {
			picked[name] = value
		}
	}
	return picked
}

// decodeJWK leaves the arithmetic to go-jose: lengths, the point on its curve, low-order points, and that the first
// certificate of x5c has this key. Its reasons are not passed on where they could quote a member.
func decodeJWK(members map[string]json.RawMessage) (gojose.JSONWebKey, error) {
	var jwk gojose.JSONWebKey
	document, err := json.Marshal(members)
	if err != nil {
		return jwk, fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	if err := jwk.UnmarshalJSON(document); err != nil {
		return jwk, explainJWK(members)
	}
	return jwk, nil
}

// explainJWK finds the part that is wrong by decoding the bare key without its certificates.
func explainJWK(members map[string]json.RawMessage) error {
	var bare gojose.JSONWebKey
	document, err := json.Marshal(pick(members, []string{"kty", "crv", "x", "y", "n", "e"}))
	if err != nil || bare.UnmarshalJSON(document) != nil {
		return fmt.Errorf("%w: the public key's numbers are missing, of wrong length, larger than is read, "+
			"or not a point of the curve", ErrMalformed)
	}
	return fmt.Errorf("%w: x5c, x5t or x5t#S256 do not belong to this key, or another member has a wrong type", ErrMalformed)
}
