package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func TestSignedTokensVerifyWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for alg, signer := range map[jose.SignatureAlgorithm]crypto.Signer{
		jose.PS256: rsaKey(), jose.ES256: p256Key(), jose.EdDSA: ed25519of(),
	} {
		key, err := jose.NewSigningKey(signer, alg, "key-1")
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		compact, err := key.Sign("at+jwt", claims)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		want := members{"alg": string(alg), "kid": "key-1", "typ": "at+jwt"}
		if diff := cmp.Diff(want, decodePart(t, compact, 0)); diff != "" {
			t.Errorf("%s: header\n%s", alg, diff)
		}
		if diff := cmp.Diff("https://as.example", decodePart(t, compact, 1)["aud"]); diff != "" {
			t.Errorf("%s: claims\n%s", alg, diff)
		}
		if !verifiesByHand(compact, signer.Public()) {
			t.Errorf("%s: the standard library does not verify it", alg)
		}
		if _, err := parse(t, compact).Verify(jose.NewKeySet(key.Public())); err != nil {
			t.Errorf("%s: our own set does not verify it: %v", alg, err)
		}
	}
}

func verifiesByHand(compact string, public crypto.PublicKey) bool {
	input, encoded := compact[:strings.LastIndex(compact, ".")], compact[strings.LastIndex(compact, ".")+1:]
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	digest := sha256.Sum256([]byte(input))
	switch public := public.(type) {
	case *rsa.PublicKey: // the salt is as long as the hash: RFC 7518, 3.5
		return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	case *ecdsa.PublicKey:
		return len(signature) == 64 && ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(public, []byte(input), signature)
	}
	return false
}

func TestEmbeddedKeyIsWrittenBareAndWithoutKid(t *testing.T) {
	t.Parallel()
	for _, alg := range jose.SignatureAlgorithms() {
		key := generated(t, alg)
		compact, err := key.SignWithEmbeddedKey("dpop+jwt", members{"jti": "1"})
		if err != nil {
			t.Fatal(err)
		}
		header := decodePart(t, compact, 0)
		jwk, isObject := header["jwk"].(map[string]any)
		if !isObject || header["kid"] != nil || header["typ"] != "dpop+jwt" {
			t.Fatalf("%s: header %v", alg, header)
		}
		for name := range jwk {
			if !slices.Contains([]string{"kty", "crv", "x", "y", "n", "e"}, name) {
				t.Errorf("%s: the jwk header has %q", alg, name)
			}
		}
		verified, err := parse(t, compact).VerifyWithEmbeddedKey()
		if err != nil || verified.Key().Thumbprint() != key.Public().Thumbprint() {
			t.Errorf("%s: error %v, or another thumbprint", alg, err)
		}
	}
}

func TestGeneratedKeysAreNamedByTheirThumbprint(t *testing.T) {
	t.Parallel()
	for _, alg := range jose.SignatureAlgorithms() {
		key := generated(t, alg)
		public := key.Public()
		if public.KeyID() != public.Thumbprint() || public.KeyID() != key.KeyID() || key.KeyID() == "" {
			t.Errorf("%s: kid %q, thumbprint %q", alg, key.KeyID(), public.Thumbprint())
		}
		if public.Use() != "sig" || public.Algorithm() != string(alg) || key.Algorithm() != alg {
			t.Errorf("%s: published with use %q and alg %q", alg, public.Use(), public.Algorithm())
		}
		if _, err := jose.ParseKeySet(must(jose.NewKeySet(public).MarshalJSON())); err != nil {
			t.Errorf("%s: the published set does not read back: %v", alg, err)
		}
	}
	if _, err := jose.GenerateSigningKey("RS256"); !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("RS256: error %v, want ErrAlgorithm", err)
	}
}

func TestSigningKeysAreWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	for _, alg := range jose.SignatureAlgorithms() {
		key := generated(t, alg)
		raw, err := key.MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jose.ParsePrivateSigningKey(raw)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if diff := cmp.Diff(string(key.Public().JSON()), string(again.Public().JSON())); diff != "" {
			t.Errorf("%s: the public key changed\n%s", alg, diff)
		}
		compact := must(again.Sign("", members{"a": 1}))
		if _, err := parse(t, compact).Verify(jose.NewKeySet(key.Public())); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestSignersThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	cases := map[string]struct {
		signer crypto.Signer
		alg    jose.SignatureAlgorithm
		want   error
	}{
		"RSA for ES256":   {rsaKey(), jose.ES256, jose.ErrUnsupportedKey},
		"EC for PS256":    {p256Key(), jose.PS256, jose.ErrUnsupportedKey},
		"P-384 for ES256": {p384, jose.ES256, jose.ErrUnsupportedKey},
		"EC for EdDSA":    {p256Key(), jose.EdDSA, jose.ErrUnsupportedKey},
		"small RSA":       {must(rsa.GenerateKey(rand.Reader, 1024)), jose.PS256, jose.ErrUnsupportedKey},
		"RS256":           {rsaKey(), "RS256", jose.ErrAlgorithm},
		"none":            {rsaKey(), "none", jose.ErrAlgorithm},
		"RFC 9864 name":   {ed25519of(), "Ed25519", jose.ErrAlgorithm},
		"no algorithm":    {ed25519of(), "", jose.ErrAlgorithm},
	}
	for name, tc := range cases {
		if _, err := jose.NewSigningKey(tc.signer, tc.alg, ""); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
}

func TestUnfitPrivateKeysAreRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	d := b64(must(p256Key().Bytes()))
	private := jwkOf(&p256Key().PublicKey).with("d", d).with("alg", "ES256").with("kid", "k")
	if _, err := jose.ParsePrivateSigningKey(private.json()); err != nil {
		t.Fatalf("the key itself: %v", err)
	}
	cases := map[string]struct {
		raw  []byte
		want error
	}{
		"public":            {private.without("d").json(), jose.ErrMalformed},
		"no alg":            {private.without("alg").json(), jose.ErrAlgorithm},
		"alg RS256":         {private.with("alg", "RS256").json(), jose.ErrAlgorithm},
		"alg of RSA":        {private.with("alg", "PS256").json(), jose.ErrUnsupportedKey},
		"use enc":           {private.with("use", "enc").json(), jose.ErrUnsupportedKey},
		"d of another key":  {private.with("d", b64(must(otherP256().Bytes()))).json(), jose.ErrMalformed},
		"d of zero":         {private.with("d", b64(make([]byte, 32))).json(), jose.ErrMalformed},
		"symmetric":         {members{"kty": "oct", "k": d, "alg": "HS256"}.json(), jose.ErrMalformed},
		"d twice":           {[]byte(`{"d":"` + d + `","d":"` + d + `"}`), jose.ErrMalformed},
		"d is a number":     {private.with("d", 7).json(), jose.ErrMalformed},
		"not JSON":          {[]byte(d), jose.ErrMalformed},
		"RSA in halves":     {jwkOf(&rsaKey().PublicKey).with("d", d).with("alg", "PS256").json(), jose.ErrMalformed},
		"Ed25519 in halves": {jwkOf(ed25519of().Public()).with("d", d).with("alg", "EdDSA").json(), jose.ErrMalformed},
	}
	for name, tc := range cases {
		_, err := jose.ParsePrivateSigningKey(tc.raw)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), d) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestKeysDoNotPrintTheirPrivatePart(t *testing.T) {
	t.Parallel()
	seed := fmt.Sprintf("%d", ed25519of().Seed())
	signing := must(jose.NewSigningKey(ed25519of(), jose.EdDSA, "k"))
	decryption := must(jose.GenerateDecryptionKey(jose.ECDHES))
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed := fmt.Sprintf(format, signing)
		if strings.Contains(printed, seed[1:len(seed)-1]) || !strings.Contains(printed, "signing key k") {
			t.Errorf("%s prints %s", format, printed)
		}
		if printed := fmt.Sprintf(format, decryption); !strings.Contains(printed, "decryption key "+decryption.KeyID()) {
			t.Errorf("%s prints %s", format, printed)
		}
	}
}

func TestClaimsThatAreNoObjectAreNotSigned(t *testing.T) {
	t.Parallel()
	key := generated(t, jose.ES256)
	for _, unfit := range []any{nil, "text", []string{"a"}, 7, func() {}} {
		if compact, err := key.Sign("", unfit); err == nil {
			t.Errorf("%v is signed: %s", unfit, compact)
		}
	}
}

// remoteSigner stands for a key management service: only Public and Sign are there.
type remoteSigner struct {
	public crypto.PublicKey
	answer func(digest []byte) ([]byte, error)
}

func (s remoteSigner) Public() crypto.PublicKey { return s.public }

func (s remoteSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.answer(digest)
}

func TestRemoteSigner(t *testing.T) {
	t.Parallel()
	refused := errors.New("key is disabled")
	huge := new(big.Int).Lsh(big.NewInt(1), 300)
	cases := map[string]struct {
		answer func([]byte) ([]byte, error)
		ok     bool
	}{
		"signs":            {func(digest []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, p256Key(), digest) }, true},
		"refuses":          {func([]byte) ([]byte, error) { return nil, refused }, false},
		"answers rubbish":  {func([]byte) ([]byte, error) { return []byte("rubbish"), nil }, false},
		"answers too much": {func([]byte) ([]byte, error) { return asn1.Marshal(struct{ R, S *big.Int }{huge, huge}) }, false},
		"answers negative": {func([]byte) ([]byte, error) { return asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(-1), huge}) }, false},
	}
	for name, tc := range cases {
		key, err := jose.NewSigningKey(remoteSigner{&p256Key().PublicKey, tc.answer}, jose.ES256, "")
		if err != nil {
			t.Fatal(err)
		}
		compact, err := key.Sign("JWT", claims)
		if (err == nil) != tc.ok {
			t.Errorf("%s: error %v, want success %t", name, err, tc.ok)
		}
		if name == "refuses" && !errors.Is(err, refused) {
			t.Errorf("the signer's reason is lost: %v", err)
		}
		if tc.ok && !verifiesByHand(compact, &p256Key().PublicKey) {
			t.Errorf("%s: does not verify", name)
		}
		if _, err := key.MarshalPrivate(); !errors.Is(err, jose.ErrUnsupportedKey) {
			t.Errorf("%s: MarshalPrivate of a remote key: error %v, want ErrUnsupportedKey", name, err)
		}
	}
}

func generated(t testing.TB, alg jose.SignatureAlgorithm) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
