package jose_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Keys are made once for all tests, since RSA takes its time. The tokens of these tests are put together by hand with
// the standard library, so that what is tested does not vouch for itself.
var (
	rsaKey    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key   = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherP256 = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ed25519of = sync.OnceValue(func() ed25519.PrivateKey { _, key, _ := ed25519.GenerateKey(rand.Reader); return key })
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

type members map[string]any

func (m members) with(name string, value any) members {
	changed := members{name: value}
	for k, v := range m {
		if k != name {
			changed[k] = v
		}
	}
	return changed
}

func (m members) without(name string) members {
	changed := m.with(name, nil)
	delete(changed, name)
	return changed
}

func (m members) json() []byte { return must(json.Marshal(m)) }

// jwkOf writes a public JWK by hand.
func jwkOf(key crypto.PublicKey) members {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return members{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point := must(key.Bytes())[1:]
		return members{"kty": "EC", "crv": key.Params().Name, "x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
	case ed25519.PublicKey:
		return members{"kty": "OKP", "crv": "Ed25519", "x": b64(key)}
	}
	panic("no such key type")
}

func setOf(keys ...members) []byte {
	return must(json.Marshal(map[string]any{"keys": append([]members{}, keys...)}))
}

func parseSet(t testing.TB, keys ...members) *jose.KeySet {
	t.Helper()
	set, err := jose.ParseKeySet(setOf(keys...))
	if err != nil {
		t.Fatalf("ParseKeySet: %v", err)
	}
	return set
}

// rawToken signs any header over any payload.
func rawToken(header, payload string, key crypto.Signer) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(rawSignature(header, input, key))
}

func rawSignature(header, input string, key crypto.Signer) []byte {
	digest := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if strings.Contains(header, "RS256") {
			return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]))
		}
		return must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		size := (key.Params().BitSize + 7) / 8
		return must(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), err)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	}
	return nil
}

func token(header members, claims members, key crypto.Signer) string {
	return rawToken(string(header.json()), string(claims.json()), key)
}

func decodePart(t testing.TB, compact string, part int) members {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[part])
	if err != nil {
		t.Fatalf("part %d of the token: %v", part, err)
	}
	var decoded members
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatalf("part %d of the token: %v", part, err)
	}
	return decoded
}
