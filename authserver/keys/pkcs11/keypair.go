//go:build pkcs11

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

// What PKCS #11 3.0 adds for EdDSA (CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EDDSA): package pkcs11 has the
// constants of 2.40.
const (
	ckmECEdwardsKeyPairGen = 0x1055
	ckmEdDSA               = 0x1057
)

// rsaBits is FAPI 2.0's least (Security Profile, 5.4.1), as for keys in the store; our own choice.
const rsaBits = 2048

// keyType is how keys of one algorithm are made, and sign.
type keyType struct {
	generation uint
	signature  uint
	// parameters are attributes of the public half that say what key to make.
	parameters func() []*pkcs11.Attribute
	// public reads the public half's attributes.
	public func(session, pkcs11.ObjectHandle) (crypto.PublicKey, error)
}

var keyTypes = map[jose.SignatureAlgorithm]*keyType{
	jose.PS256: {pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11.CKM_RSA_PKCS_PSS, rsaParameters, session.rsaPublicKey},
	jose.ES256: {pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKM_ECDSA, p256Parameters, session.p256PublicKey},
	jose.EdDSA: {ckmECEdwardsKeyPairGen, ckmEdDSA, ed25519Parameters, session.ed25519PublicKey},
}

func rsaParameters() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, rsaBits),
		pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
	}
}

// p256Parameters name the curve by its object identifier 1.2.840.10045.3.1.7 (RFC 5480, 2.1.1.1).
func p256Parameters() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07})}
}

// ed25519Parameters name the curve by its object identifier 1.3.101.112 (RFC 8410, 3).
func ed25519Parameters() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, []byte{0x06, 0x03, 0x2b, 0x65, 0x70})}
}

// generate makes a key pair whose private half only signs, and cannot be read or taken away.
func (s session) generate(kind *keyType, id []byte, label string) (crypto.PublicKey, error) {
	common := func(more ...*pkcs11.Attribute) []*pkcs11.Attribute {
		return append(more,
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_ID, id),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	public := common(append(kind.parameters(),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_WRAP, false))...)
	private := common(
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false))
	s.objects.Lock()
	made, _, err := s.module.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(kind.generation, nil)}, public, private)
	s.objects.Unlock()
	if err != nil {
		return nil, err
	}
	return kind.public(s, made)
}

// privateKey finds the handle of a private key. Errors: keys.ErrNotInCustody.
func (s session) privateKey(id []byte) (pkcs11.ObjectHandle, error) {
	if handle, known := s.handles.Load(string(id)); known {
		return handle.(pkcs11.ObjectHandle), nil
	}
	handle, err := s.only(pkcs11.CKO_PRIVATE_KEY, id)
	if err != nil {
		return 0, err
	}
	s.handles.Store(string(id), handle)
	return handle, nil
}

func (s session) publicKey(kind *keyType, id []byte) (crypto.PublicKey, error) {
	handle, err := s.only(pkcs11.CKO_PUBLIC_KEY, id)
	if err != nil {
		return nil, err
	}
	return kind.public(s, handle)
}

// only finds the one object of the class and identifier.
func (s session) only(class uint, id []byte) (pkcs11.ObjectHandle, error) {
	found, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	if err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, keys.ErrNotInCustody
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("%d keys have the identifier: %w", len(found), keys.ErrAnotherKey)
}

// find finds the token's objects with the attributes.
func (s session) find(attributes ...*pkcs11.Attribute) (found []pkcs11.ObjectHandle, err error) {
	const batch = 100 // Our own choice.
	attributes = append(attributes, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true))
	s.objects.RLock()
	defer s.objects.RUnlock()
	if err := s.module.FindObjectsInit(s.handle, attributes); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.module.FindObjectsFinal(s.handle)) }()
	for {
		handles, _, err := s.module.FindObjects(s.handle, batch)
		if err != nil || len(handles) == 0 {
			return found, err
		}
		found = append(found, handles...)
	}
}

// destroy ends the private half first: a public one alone does no harm.
func (s session) destroy(id []byte) error {
	s.handles.Delete(string(id))
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		found, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_ID, id))
		if err != nil {
			return err
		}
		for _, handle := range found {
			if err := s.destroyObject(handle); err != nil && !isGone(err) {
				return err
			}
		}
	}
	return nil
}

func (s session) destroyObject(handle pkcs11.ObjectHandle) error {
	s.objects.Lock()
	defer s.objects.Unlock()
	return s.module.DestroyObject(s.handle, handle)
}

// isGone tells whether a handle's object is no longer there: another process may have destroyed it.
func isGone(err error) bool {
	return isOneOf(err, pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID)
}

// keysLabeled gives the identifiers of the private keys whose label begins with the prefix.
func (s session) keysLabeled(prefix string) ([]string, error) {
	found, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, handle := range found {
		attributes, err := s.attributes(handle, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
		if isGone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(string(attributes[0]), prefix) {
			ids = append(ids, hex.EncodeToString(attributes[1]))
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// attributes reads attributes in their order.
func (s session) attributes(handle pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	template := make([]*pkcs11.Attribute, len(types))
	for i, attribute := range types {
		template[i] = pkcs11.NewAttribute(attribute, nil)
	}
	read, err := s.module.GetAttributeValue(s.handle, handle, template)
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(types))
	for i, attribute := range types {
		if values[i], err = valueOf(read, attribute); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func valueOf(attributes []*pkcs11.Attribute, wanted uint) ([]byte, error) {
	for _, attribute := range attributes {
		if attribute.Type == wanted {
			return attribute.Value, nil
		}
	}
	return nil, fmt.Errorf("the token does not tell the attribute 0x%x", wanted)
}

func (s session) rsaPublicKey(handle pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	values, err := s.attributes(handle, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(values[1])
	if exponent.BitLen() > 31 {
		return nil, errors.New("the RSA key's exponent is out of range")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(values[0]), E: int(exponent.Int64())}, nil
}

func (s session) p256PublicKey(handle pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	const octets = 65 // Uncompressed (SEC 1, 2.3.3).
	point, err := s.point(handle, p256Parameters(), octets)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func (s session) ed25519PublicKey(handle pkcs11.ObjectHandle) (crypto.PublicKey, error) {
	point, err := s.point(handle, ed25519Parameters(), ed25519.PublicKeySize)
	return ed25519.PublicKey(point), err
}

// point reads a public point of the curve: an OCTET STRING in DER, or, as some tokens have it,
// the bare octets.
func (s session) point(handle pkcs11.ObjectHandle, curve []*pkcs11.Attribute, octets int) ([]byte, error) {
	values, err := s.attributes(handle, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(values[0], curve[0].Value) {
		return nil, fmt.Errorf("the key is of another curve: %w", keys.ErrAnotherKey)
	}
	point := values[1]
	if len(point) != octets {
		if rest, err := asn1.Unmarshal(values[1], &point); err != nil || len(rest) > 0 || len(point) != octets {
			return nil, errors.New("the token does not tell the key's public point")
		}
	}
	return point, nil
}
