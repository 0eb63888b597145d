package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func TestThumbprintIsThatOfTheSpecifications(t *testing.T) {
	t.Parallel()
	vectors := map[string]struct{ jwk, thumbprint string }{
		"RFC 7638, 3.1": {
			`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"RFC 8037, A.3": {
			`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	}
	for name, vector := range vectors {
		set, err := jose.ParseKeySet([]byte(`{"keys":[` + vector.jwk + `]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := set.Keys()[0].Thumbprint(); got != vector.thumbprint {
			t.Errorf("%s: thumbprint %s, want %s", name, got, vector.thumbprint)
		}
	}
}

func TestPrivateMembersAreRefusedWithoutBeingShown(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		for kind, jwk := range map[string]members{
			"RSA": jwkOf(&rsaKey().PublicKey), "EC": jwkOf(&p256Key().PublicKey), "OKP": jwkOf(ed25519of().Public()),
			"oct": {"kty": "oct"}, "unknown type": {"kty": "new"},
		} {
			for form, value := range map[string]any{"value": secret, "empty": "", "number": 7, "array": []string{secret}} {
				_, err := jose.ParseKeySet(setOf(jwkOf(&otherP256().PublicKey), jwk.with(name, value).with("kid", "me")))
				wantPrivateKeyError(t, fmt.Sprintf("%s with %s as %s", kind, name, form), err, secret)
				_, _, err = jose.ParseFetchedKeySet(setOf(jwk.with(name, value).with("kid", "me")))
				if !errors.Is(err, jose.ErrPrivateKey) {
					t.Errorf("fetched %s with %s: error %v, want ErrPrivateKey", kind, name, err)
				}
			}
		}
	}
}

func wantPrivateKeyError(t *testing.T, name string, err error, secret string) {
	t.Helper()
	if !errors.Is(err, jose.ErrPrivateKey) {
		t.Errorf("%s: error %v, want ErrPrivateKey", name, err)
		return
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("%s: the error shows the key: %v", name, err)
	}
	if !strings.Contains(err.Error(), `key 1 (kid "me")`) {
		t.Errorf("%s: the error does not say which key: %v", name, err)
	}
}

func TestSinglePrivateKeyInsteadOfASetIsCalledPrivate(t *testing.T) {
	t.Parallel()
	_, err := jose.ParseKeySet(jwkOf(&p256Key().PublicKey).with("d", "c2VjcmV0").json())
	if !errors.Is(err, jose.ErrPrivateKey) {
		t.Errorf("error %v, want ErrPrivateKey", err)
	}
}

func TestErrorsCutLongKeyIDs(t *testing.T) {
	t.Parallel()
	_, err := jose.ParseKeySet(setOf(members{"kty": "oct", "kid": strings.Repeat("k", 10_000)}))
	if !errors.Is(err, jose.ErrUnsupportedKey) || len(err.Error()) > 300 || !strings.Contains(err.Error(), `(kid "kkk`) {
		t.Errorf("error %v, want ErrUnsupportedKey that names the key in short", err)
	}
}

func TestUnfitKeysAreRefused(t *testing.T) {
	t.Parallel()
	ec, okp, rsaJWK := jwkOf(&p256Key().PublicKey), jwkOf(ed25519of().Public()), jwkOf(&rsaKey().PublicKey)
	p384 := jwkOf(&must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey)
	evenModulus := new(big.Int).Lsh(rsaKey().N, 1)
	cases := map[string]struct {
		jwk  members
		want error
	}{
		"RSA of 1024 bits":           {jwkOf(&must(rsa.GenerateKey(rand.Reader, 1024)).PublicKey), jose.ErrUnsupportedKey},
		"RSA of 2047 bits":           {rsaJWK.with("n", b64(new(big.Int).Rsh(rsaKey().N, 1).SetBit(new(big.Int).Rsh(rsaKey().N, 1), 0, 1).Bytes())), jose.ErrUnsupportedKey},
		"RSA of 16384 bits":          {rsaJWK.with("n", b64(new(big.Int).Lsh(big.NewInt(1), 16383).Bytes())), jose.ErrMalformed},
		"RSA with even modulus":      {rsaJWK.with("n", b64(evenModulus.Bytes())), jose.ErrMalformed},
		"RSA with exponent 1":        {rsaJWK.with("e", "AQ"), jose.ErrMalformed},
		"RSA with exponent 3":        {rsaJWK.with("e", "Aw"), jose.ErrUnsupportedKey},
		"RSA with even exponent":     {rsaJWK.with("e", "AQAC"), jose.ErrUnsupportedKey},
		"RSA with huge exponent":     {rsaJWK.with("e", "AQAAAAAAAAAAAQ"), jose.ErrMalformed},
		"RSA without modulus":        {rsaJWK.without("n"), jose.ErrMalformed},
		"EC off the curve":           {ec.with("y", ec["x"]), jose.ErrMalformed},
		"EC at infinity":             {ec.with("x", b64(make([]byte, 32))).with("y", b64(make([]byte, 32))), jose.ErrMalformed},
		"EC with short coordinate":   {ec.with("x", b64(make([]byte, 31))), jose.ErrMalformed},
		"EC with another curve":      {p384.with("crv", "P-256"), jose.ErrMalformed},
		"EC on secp256k1":            {ec.with("crv", "secp256k1"), jose.ErrUnsupportedKey},
		"EC on P-224":                {ec.with("crv", "P-224"), jose.ErrUnsupportedKey},
		"EC without y":               {ec.without("y"), jose.ErrMalformed},
		"OKP with X25519":            {okp.with("crv", "X25519"), jose.ErrUnsupportedKey},
		"OKP with Ed448":             {okp.with("crv", "Ed448"), jose.ErrUnsupportedKey},
		"OKP of low order":           {okp.with("x", b64(append([]byte{1}, make([]byte, 31)...))), jose.ErrMalformed},
		"OKP of 31 octets":           {okp.with("x", b64(make([]byte, 31))), jose.ErrMalformed},
		"oct":                        {members{"kty": "oct"}, jose.ErrUnsupportedKey},
		"no kty":                     {ec.without("kty"), jose.ErrMalformed},
		"kty in lower case":          {ec.with("kty", "ec"), jose.ErrUnsupportedKey},
		"kid that is a number":       {ec.with("kid", 7), jose.ErrMalformed},
		"use that is an array":       {ec.with("use", []string{"sig"}), jose.ErrMalformed},
		"key_ops that is a string":   {ec.with("key_ops", "verify"), jose.ErrMalformed},
		"null member":                {ec.with("alg", nil), jose.ErrMalformed},
		"coordinate in hexadecimal":  {ec.with("x", strings.Repeat("0:", 32)), jose.ErrMalformed},
		"x5c that is no certificate": {ec.with("x5c", []string{"AAAA"}), jose.ErrMalformed},
		"x5c of another key":         {ec.with("x5c", []string{base64.StdEncoding.EncodeToString(certificateFor(t, otherP256()).Raw)}), jose.ErrMalformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := jose.ParseKeySet(setOf(tc.jwk))
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if !strings.Contains(err.Error(), "key 0") {
				t.Errorf("the error does not say which key: %v", err)
			}
			set, ignored, err := jose.ParseFetchedKeySet(setOf(tc.jwk, ec.with("kid", "good")))
			if err != nil {
				t.Fatalf("a fetched set with one unfit key is refused as a whole: %v", err)
			}
			if set.Len() != 1 || len(ignored) != 1 {
				t.Errorf("a fetched set keeps %d keys and ignores %d, want 1 and 1", set.Len(), len(ignored))
			}
		})
	}
}

func TestDocumentsThatAreNoKeySet(t *testing.T) {
	t.Parallel()
	good := string(jwkOf(&p256Key().PublicKey).json())
	many := make([]members, jose.MaxKeys+1)
	for i := range many {
		many[i] = jwkOf(&p256Key().PublicKey)
	}
	cases := map[string]string{
		"empty":                    ``,
		"not JSON":                 `{"keys":[`,
		"array":                    `[]`,
		"null":                     `null`,
		"no keys":                  `{}`,
		"single key":               good,
		"keys is an object":        `{"keys":{}}`,
		"keys is null":             `{"keys":null}`,
		"key is a string":          `{"keys":["x"]}`,
		"key is null":              `{"keys":[null]}`,
		"keys twice":               `{"keys":[],"keys":[]}`,
		"member twice in a key":    `{"keys":[{"kty":"EC","kty":"EC"}]}`,
		"member twice, escaped":    `{"keys":[{"kid":"a","\u006bid":"b"}]}`,
		"text after the set":       `{"keys":[]} {}`,
		"not UTF-8":                "{\"keys\":[],\"a\":\"\xff\"}",
		"nested too deep":          `{"keys":[],"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		"larger than the bound":    `{"keys":[],"a":"` + strings.Repeat("x", jose.MaxKeySetBytes) + `"}`,
		"more keys than the bound": string(setOf(many...)),
	}
	for name, document := range cases {
		if _, err := jose.ParseKeySet([]byte(document)); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

func TestKeySetIsWrittenCanonicallyAndReadsBack(t *testing.T) {
	t.Parallel()
	cert := certificateFor(t, p256Key())
	set := parseSet(t,
		jwkOf(&p256Key().PublicKey).with("kid", "one").with("use", "sig").with("alg", "ES256").
			with("x5c", []string{base64.StdEncoding.EncodeToString(cert.Raw)}).with("key_ops", []string{"verify"}).
			with("x5u", "https://attacker.example/").with("extra", "dropped"),
		jwkOf(&rsaKey().PublicKey).with("n", b64(append([]byte{0}, rsaKey().N.Bytes()...))))

	written := must(json.Marshal(set))
	for _, dropped := range []string{"attacker", "extra"} {
		if strings.Contains(string(written), dropped) {
			t.Errorf("the canonical form keeps %q: %s", dropped, written)
		}
	}
	again, err := jose.ParseKeySet(written)
	if err != nil {
		t.Fatalf("the canonical form does not read back: %v", err)
	}
	if diff := cmp.Diff(string(written), string(must(json.Marshal(again)))); diff != "" {
		t.Errorf("the canonical form is not stable:\n%s", diff)
	}
	if !strings.Contains(string(written), b64(rsaKey().N.Bytes())) {
		t.Error("the modulus is not in its shortest form")
	}
	if empty := string(must(json.Marshal(jose.NewKeySet()))); empty != `{"keys":[]}` {
		t.Errorf("an empty set is written %s", empty)
	}
}

func TestKeyTellsItsMembers(t *testing.T) {
	t.Parallel()
	cert := certificateFor(t, p256Key())
	set := parseSet(t,
		jwkOf(&p256Key().PublicKey).with("kid", "ec").with("use", "sig").with("alg", "ES256").
			with("x5c", []string{base64.StdEncoding.EncodeToString(cert.Raw)}),
		jwkOf(&rsaKey().PublicKey).with("kid", "rsa"),
		jwkOf(ed25519of().Public()))

	type facts struct {
		KeyID, KeyType, Curve, Use, Algorithm string
		RSABits, Certificates                 int
	}
	var got []facts
	for _, key := range set.Keys() {
		got = append(got, facts{key.KeyID(), key.KeyType(), key.Curve(), key.Use(), key.Algorithm(), key.RSABits(), len(key.Certificates())})
	}
	want := []facts{
		{"ec", "EC", "P-256", "sig", "ES256", 0, 1},
		{"rsa", "RSA", "", "", "", 2048, 0},
		{"", "OKP", "Ed25519", "", "", 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !set.Keys()[0].Certificates()[0].Equal(cert) {
		t.Error("the certificate of x5c is another one")
	}
	if got := jose.CertificateThumbprint(cert); len(got) != 43 || strings.ContainsAny(got, "+/=") {
		t.Errorf("x5t#S256 is %q, want 43 characters of base64url", got)
	}
}

func TestKeysServeWhatTheyState(t *testing.T) {
	t.Parallel()
	ec, rsaJWK, okp := jwkOf(&p256Key().PublicKey), jwkOf(&rsaKey().PublicKey), jwkOf(ed25519of().Public())
	p384 := jwkOf(&must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey)
	cases := map[string]struct {
		jwk     members
		verify  []jose.SignatureAlgorithm
		encrypt []jose.KeyManagementAlgorithm
	}{
		"bare EC key": {ec, []jose.SignatureAlgorithm{jose.ES256},
			[]jose.KeyManagementAlgorithm{jose.ECDHES, jose.ECDHESA128KW, jose.ECDHESA256KW}},
		"bare RSA key": {rsaJWK, []jose.SignatureAlgorithm{jose.PS256},
			[]jose.KeyManagementAlgorithm{jose.RSAOAEP, jose.RSAOAEP256}},
		"bare Ed25519 key":       {okp, []jose.SignatureAlgorithm{jose.EdDSA}, nil},
		"P-384 encrypts alone":   {p384, nil, []jose.KeyManagementAlgorithm{jose.ECDHES, jose.ECDHESA128KW, jose.ECDHESA256KW}},
		"use sig":                {ec.with("use", "sig"), []jose.SignatureAlgorithm{jose.ES256}, nil},
		"use enc, alg":           {ec.with("use", "enc").with("alg", "ECDH-ES"), nil, []jose.KeyManagementAlgorithm{jose.ECDHES}},
		"use of another kind":    {ec.with("use", "tls"), nil, nil},
		"alg RS256 serves none":  {rsaJWK.with("alg", "RS256"), nil, nil},
		"alg of another type":    {rsaJWK.with("alg", "ES256"), nil, nil},
		"alg by RFC 9864":        {okp.with("alg", "Ed25519"), []jose.SignatureAlgorithm{jose.EdDSA}, nil},
		"key_ops verify":         {rsaJWK.with("key_ops", []string{"verify"}), []jose.SignatureAlgorithm{jose.PS256}, nil},
		"key_ops sign":           {rsaJWK.with("key_ops", []string{"sign"}), nil, nil},
		"key_ops derive":         {p384.with("key_ops", []string{"deriveBits"}), nil, []jose.KeyManagementAlgorithm{jose.ECDHES, jose.ECDHESA128KW, jose.ECDHESA256KW}},
		"key_ops against itself": {rsaJWK.with("use", "sig").with("key_ops", []string{"encrypt"}), nil, nil},
	}
	for name, tc := range cases {
		set := parseSet(t, tc.jwk)
		var verify []jose.SignatureAlgorithm
		for _, alg := range jose.SignatureAlgorithms() {
			if set.CanVerify(alg) {
				verify = append(verify, alg)
			}
		}
		var encrypt []jose.KeyManagementAlgorithm
		for _, alg := range jose.KeyManagementAlgorithms() {
			if set.CanEncrypt(alg) {
				encrypt = append(encrypt, alg)
			}
		}
		if diff := cmp.Diff(tc.verify, verify); diff != "" {
			t.Errorf("%s: verifies\n%s", name, diff)
		}
		if diff := cmp.Diff(tc.encrypt, encrypt); diff != "" {
			t.Errorf("%s: encrypts\n%s", name, diff)
		}
	}
}

func TestEmptyKeysAndSetsServeNothing(t *testing.T) {
	t.Parallel()
	var none *jose.KeySet
	var empty jose.PublicKey
	if none.Len() != 0 || none.CanVerify(jose.ES256) || none.CanEncrypt(jose.ECDHES) {
		t.Error("a nil set serves something")
	}
	if empty.CanVerify("") || empty.CanEncrypt("") || empty.CanVerify(jose.EdDSA) {
		t.Error("a zero key serves something")
	}
	if _, err := json.Marshal(empty); err == nil {
		t.Error("a zero key can be written")
	}
}

func certificateFor(t testing.TB, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: time.Unix(1_800_000_000, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return must(x509.ParseCertificate(der))
}
