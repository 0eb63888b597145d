package jose_test

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

var claims = members{"iss": "client-1", "sub": "client-1", "aud": "https://as.example", "exp": 1_700_000_060}

func TestSignatureOfTheSpecificationVerifies(t *testing.T) {
	t.Parallel()
	const jws = "eyJhbGciOiJFUzI1NiJ9." +
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	set, err := jose.ParseKeySet([]byte(`{"keys":[{"kty":"EC","crv":"P-256",
		"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(t, jws).Verify(set); err != nil {
		t.Errorf("RFC 7515, A.3: %v", err)
	}
}

func TestAlgorithmsOfTheClosedSetVerify(t *testing.T) {
	t.Parallel()
	cases := []struct {
		header string
		key    crypto.Signer
		want   jose.SignatureAlgorithm
	}{
		{"PS256", rsaKey(), jose.PS256},
		{"ES256", p256Key(), jose.ES256},
		{"EdDSA", ed25519of(), jose.EdDSA},
		{"Ed25519", ed25519of(), jose.EdDSA},
	}
	for _, tc := range cases {
		compact := token(members{"alg": tc.header, "kid": "k", "typ": "JWT"}, claims, tc.key)
		verified, err := parse(t, compact).Verify(parseSet(t, jwkOf(tc.key.Public()).with("kid", "k").with("use", "sig")))
		if err != nil {
			t.Errorf("%s: %v", tc.header, err)
			continue
		}
		if verified.Algorithm() != tc.want || verified.KeyID() != "k" || verified.Type() != "JWT" || verified.Key().KeyID() != "k" {
			t.Errorf("%s: header reads %s, kid %q, typ %q", tc.header, verified.Algorithm(), verified.KeyID(), verified.Type())
		}
	}
}

func TestAlgorithmsOutsideTheClosedSetAreRefused(t *testing.T) {
	t.Parallel()
	names := []string{"none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS384", "PS512",
		"ES384", "ES512", "ES256K", "Ed448", "es256", "ES256 ", "ML-DSA-44"}
	everything := jose.SignatureAlgorithms()
	for _, name := range names {
		everything = append(everything, jose.SignatureAlgorithm(name))
	}
	for _, name := range names {
		for kind, key := range map[string]crypto.Signer{"RSA": rsaKey(), "EC": p256Key(), "OKP": ed25519of()} {
			_, err := jose.ParseSigned(token(members{"alg": name}, claims, key), everything)
			if !errors.Is(err, jose.ErrAlgorithm) {
				t.Errorf("alg %q with a key of type %s: error %v, want ErrAlgorithm even when the caller names it", name, kind, err)
			}
		}
	}
}

func TestAlgorithmThatTheCallerDoesNotAllowIsRefused(t *testing.T) {
	t.Parallel()
	compact := token(members{"alg": "ES256"}, claims, p256Key())
	for _, allowed := range [][]jose.SignatureAlgorithm{nil, {jose.PS256}, {jose.PS256, jose.EdDSA}} {
		if _, err := jose.ParseSigned(compact, allowed); !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("allowed %q: error %v, want ErrAlgorithm", allowed, err)
		}
	}
}

func TestHeaderAbuseIsRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"no alg":                   `{}`,
		"alg is a number":          `{"alg":256}`,
		"alg is an array":          `{"alg":["ES256"]}`,
		"alg twice":                `{"alg":"none","alg":"ES256"}`,
		"alg twice, escaped":       `{"alg":"ES256","\u0061lg":"none"}`,
		"ALG for alg":              `{"ALG":"ES256"}`,
		"member twice, nested":     `{"alg":"ES256","x":{"a":1,"a":2}}`,
		"crit":                     `{"alg":"ES256","crit":["exp"],"exp":1}`,
		"crit with b64":            `{"alg":"ES256","crit":["b64"],"b64":true}`,
		"empty crit":               `{"alg":"ES256","crit":[]}`,
		"b64":                      `{"alg":"ES256","b64":false}`,
		"zip":                      `{"alg":"ES256","zip":"DEF"}`,
		"kid is a number":          `{"alg":"ES256","kid":1}`,
		"kid is null":              `{"alg":"ES256","kid":null}`,
		"typ is an object":         `{"alg":"ES256","typ":{}}`,
		"array":                    `["ES256"]`,
		"string":                   `"ES256"`,
		"null":                     `null`,
		"empty":                    ``,
		"two objects":              `{"alg":"ES256"}{"alg":"none"}`,
		"not UTF-8":                "{\"alg\":\"ES256\",\"kid\":\"\xff\"}",
		"nested too deep":          `{"alg":"ES256","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`,
		"jwk is a string":          `{"alg":"ES256","jwk":"x"}`,
		"jwk is null":              `{"alg":"ES256","jwk":null}`,
		"jwk off the curve":        `{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`,
		"nonce is a number":        `{"alg":"ES256","nonce":1}`,
		"x5c is not a certificate": `{"alg":"ES256","x5c":["AAAA"]}`,
	}
	for name, header := range cases {
		_, err := jose.ParseSigned(rawToken(header, string(claims.json()), p256Key()), jose.SignatureAlgorithms())
		if !errors.Is(err, jose.ErrMalformed) && !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("%s: error %v, want ErrMalformed or ErrAlgorithm", name, err)
		}
	}
}

func TestPayloadsThatAreNoClaimsAreRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"empty":                 ``,
		"text":                  `hello`,
		"array":                 `[]`,
		"null":                  `null`,
		"claim twice":           `{"iss":"a","iss":"b"}`,
		"claim twice, escaped":  `{"iss":"a","\u0069ss":"b"}`,
		"claim twice, nested":   `{"cnf":{"jkt":"a","jkt":"b"}}`,
		"claim twice, in array": `{"a":[{"b":1,"b":2}]}`,
		"null claim":            `{"exp":null}`,
		"nested too deep":       `{"a":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat("}", 41),
		"trailing text":         `{"iss":"a"} x`,
	}
	for name, payload := range cases {
		_, err := jose.ParseSigned(rawToken(`{"alg":"ES256"}`, payload, p256Key()), jose.SignatureAlgorithms())
		if !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

func TestOtherSerializationsAreRefused(t *testing.T) {
	t.Parallel()
	good := token(members{"alg": "ES256"}, claims, p256Key())
	part := strings.Split(good, ".")
	cases := map[string]string{
		"empty":                  "",
		"dots":                   "..",
		"two parts":              part[0] + "." + part[1],
		"four parts":             good + ".",
		"five parts":             good + ".a.b",
		"JSON serialization":     fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, part[0], part[1], part[2]),
		"detached payload":       part[0] + ".." + part[2],
		"leading space":          " " + good,
		"line break at the end":  good + "\n",
		"line break in a part":   part[0] + "." + part[1][:4] + "\n" + part[1][4:] + "." + part[2],
		"padding":                good + "=",
		"standard alphabet":      part[0] + "." + part[1] + "." + "+/" + part[2][2:],
		"another final bit":      good[:len(good)-1] + twinOf(good[len(good)-1]),
		"larger than the bound":  part[0] + "." + strings.Repeat("A", jose.MaxSignedBytes) + "." + part[2],
		"no more than a million": strings.Repeat(".", 1_000_000),
	}
	for name, compact := range cases {
		if _, err := jose.ParseSigned(compact, jose.SignatureAlgorithms()); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", name, err)
		}
	}
}

// twinOf returns a character that decodes to the same octets at the end of 64 octets, where four bits are spare.
func twinOf(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)|1])
}

func TestForeignAndCorruptSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	set := parseSet(t, jwkOf(&p256Key().PublicKey), jwkOf(&rsaKey().PublicKey), jwkOf(ed25519of().Public()))
	for alg, key := range map[string]crypto.Signer{"ES256": p256Key(), "PS256": rsaKey(), "EdDSA": ed25519of()} {
		good := token(members{"alg": alg}, claims, key)
		part := strings.Split(good, ".")
		forged := map[string]string{
			"other claims":        part[0] + "." + b64(claims.with("sub", "client-2").json()) + "." + part[2],
			"other header":        b64(members{"alg": alg, "typ": "at+jwt"}.json()) + "." + part[1] + "." + part[2],
			"empty signature":     part[0] + "." + part[1] + ".",
			"zero signature":      part[0] + "." + part[1] + "." + b64(make([]byte, 64)),
			"shortened signature": part[0] + "." + part[1] + "." + b64(must(base64.RawURLEncoding.DecodeString(part[2]))[1:]),
		}
		if _, err := parse(t, good).Verify(set); err != nil {
			t.Errorf("%s: the token itself: %v", alg, err)
		}
		for name, compact := range forged {
			if _, err := parse(t, compact).Verify(set); !errors.Is(err, jose.ErrSignature) {
				t.Errorf("%s, %s: error %v, want ErrSignature", alg, name, err)
			}
		}
	}
	pkcs1 := rawToken(`{"alg":"PS256","x":"RS256"}`, string(claims.json()), rsaKey())
	if _, err := parse(t, pkcs1).Verify(set); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("a PKCS #1 v1.5 signature under PS256: error %v, want ErrSignature", err)
	}
}

func TestKeyIsChosenByKidThenByItsMembers(t *testing.T) {
	t.Parallel()
	ours, other := jwkOf(&p256Key().PublicKey), jwkOf(&otherP256().PublicKey)
	rsaJWK := jwkOf(&rsaKey().PublicKey)
	cases := map[string]struct {
		kid  any
		keys []members
		want error
	}{
		"kid finds its key among others":       {"a", []members{other.with("kid", "b"), ours.with("kid", "a")}, nil},
		"same kid, other type":                 {"a", []members{rsaJWK.with("kid", "a"), ours.with("kid", "a")}, nil},
		"same kid, other use":                  {"a", []members{other.with("kid", "a").with("use", "enc"), ours.with("kid", "a").with("use", "sig")}, nil},
		"same kid, other alg":                  {"a", []members{other.with("kid", "a").with("alg", "ECDH-ES"), ours.with("kid", "a")}, nil},
		"same kid, same members":               {"a", []members{other.with("kid", "a"), ours.with("kid", "a")}, nil},
		"kid of another key":                   {"b", []members{other.with("kid", "b"), ours.with("kid", "a")}, jose.ErrSignature},
		"kid unknown":                          {"c", []members{ours.with("kid", "a")}, jose.ErrNoKey},
		"kid in another case":                  {"A", []members{ours.with("kid", "a")}, jose.ErrNoKey},
		"kid stated, key without":              {"a", []members{ours}, jose.ErrNoKey},
		"no kid, one key":                      {nil, []members{ours.with("kid", "a")}, nil},
		"no kid, second key":                   {nil, []members{other.with("kid", "a"), ours.with("kid", "b")}, nil},
		"no kid, no fitting key":               {nil, []members{rsaJWK, ours.with("use", "enc")}, jose.ErrNoKey},
		"no kid, only others":                  {nil, []members{other}, jose.ErrSignature},
		"no keys":                              {"a", nil, jose.ErrNoKey},
		"no kid, more keys than are tried":     {nil, repeat(ours, 9), jose.ErrNoKey},
		"one kid for more keys than are tried": {"a", repeat(ours.with("kid", "a"), 9), jose.ErrNoKey},
		"no kid, as many keys as are tried":    {nil, append(repeat(other, 7), ours), nil},
	}
	for name, tc := range cases {
		header := members{"alg": "ES256"}
		if tc.kid != nil {
			header["kid"] = tc.kid
		}
		verified, err := parse(t, token(header, claims, p256Key())).Verify(parseSet(t, tc.keys...))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
		if err == nil && verified.Key().Thumbprint() != parseSet(t, ours).Keys()[0].Thumbprint() {
			t.Errorf("%s: verified with another key", name)
		}
	}
}

func repeat(key members, n int) []members {
	keys := make([]members, n)
	for i := range keys {
		keys[i] = key
	}
	return keys
}

func TestSetOfKeysIsNeverExtendedByTheHeader(t *testing.T) {
	t.Parallel()
	header := members{"alg": "ES256", "jwk": jwkOf(&p256Key().PublicKey), "jku": "https://attacker.example/jwks",
		"x5u": "https://attacker.example/cert"}
	compact := token(header, claims, p256Key())
	if _, err := parse(t, compact).Verify(parseSet(t, jwkOf(&otherP256().PublicKey))); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("error %v, want ErrSignature: the key of the header must not count", err)
	}
	if _, err := parse(t, compact).Verify(nil); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("no keys: error %v, want ErrNoKey", err)
	}
}

func TestEmbeddedKeyProvesPossession(t *testing.T) {
	t.Parallel()
	for alg, key := range map[string]crypto.Signer{"ES256": p256Key(), "PS256": rsaKey(), "EdDSA": ed25519of(), "Ed25519": ed25519of()} {
		header := members{"alg": alg, "typ": "dpop+jwt", "jwk": jwkOf(key.Public())}
		proof := parse(t, token(header, members{"jti": "1"}, key))
		verified, err := proof.VerifyWithEmbeddedKey()
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		if want := parseSet(t, jwkOf(key.Public())).Keys()[0].Thumbprint(); verified.Key().Thumbprint() != want || proof.EmbeddedKey().Thumbprint() != want {
			t.Errorf("%s: the thumbprint is not that of the key", alg)
		}
	}
}

func TestEmbeddedKeyAbuseIsRefused(t *testing.T) {
	t.Parallel()
	ours := jwkOf(&p256Key().PublicKey)
	parsing := map[string]struct {
		jwk  any
		want error
	}{
		"private":   {ours.with("d", "c2VjcmV0"), jose.ErrPrivateKey},
		"symmetric": {members{"kty": "oct", "k": "c2VjcmV0"}, jose.ErrPrivateKey},
		"small RSA": {members{"kty": "RSA", "n": b64(rsaKey().N.Bytes()[:128]), "e": "AQAB"}, jose.ErrUnsupportedKey},
		"array":     {[]any{ours}, jose.ErrMalformed},
	}
	for name, tc := range parsing {
		_, err := jose.ParseSigned(token(members{"alg": "ES256", "jwk": tc.jwk}, claims, p256Key()), jose.SignatureAlgorithms())
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	verifying := map[string]struct {
		header members
		want   error
	}{
		"absent":            {members{"alg": "ES256"}, jose.ErrNoKey},
		"of another type":   {members{"alg": "ES256", "jwk": jwkOf(&rsaKey().PublicKey)}, jose.ErrNoKey},
		"for encryption":    {members{"alg": "ES256", "jwk": ours.with("use", "enc")}, jose.ErrNoKey},
		"of somebody else":  {members{"alg": "ES256", "jwk": jwkOf(&otherP256().PublicKey)}, jose.ErrSignature},
		"with another name": {members{"alg": "ES256", "JWK": ours}, jose.ErrNoKey},
	}
	for name, tc := range verifying {
		if _, err := parse(t, token(tc.header, claims, p256Key())).VerifyWithEmbeddedKey(); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
}

func TestUnverifiedClaimsAreStringsOnly(t *testing.T) {
	t.Parallel()
	jwt := parse(t, token(members{"alg": "ES256"}, members{"iss": "client-1", "n": 1, "ISS": "x"}, p256Key()))
	for name, want := range map[string]string{"iss": "client-1", "n": "", "absent": ""} {
		if got := jwt.UnverifiedClaims(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestMediaTypesCompareWithoutCaseAndPrefix(t *testing.T) {
	t.Parallel()
	cases := []struct {
		typ, mediaType string
		want           bool
	}{
		{"at+jwt", "at+jwt", true},
		{"AT+JWT", "at+jwt", true},
		{"application/at+jwt", "at+jwt", true},
		{"at+jwt", "application/at+jwt", true},
		{"application/a/b", "a/b", false},
		{"JWT", "at+jwt", false},
		{"", "at+jwt", false},
		{"", "", false},
	}
	for _, tc := range cases {
		jwt := parse(t, token(members{"alg": "ES256", "typ": tc.typ}, claims, p256Key()))
		if got := jwt.TypeIs(tc.mediaType); got != tc.want {
			t.Errorf("typ %q is %q: %t, want %t", tc.typ, tc.mediaType, got, tc.want)
		}
	}
}

func TestErrorsShowNothingOfTheToken(t *testing.T) {
	t.Parallel()
	const secret = "sEcReTvAlUe"
	tokens := []string{
		rawToken(`{"alg":"`+secret+`"}`, `{}`, p256Key()),
		rawToken(`{"alg":"ES256","kid":{"`+secret+`":1}}`, `{}`, p256Key()),
		rawToken(`{"alg":"ES256","nonce":{"`+secret+`":1}}`, `{}`, p256Key()),
		rawToken(`{"alg":"ES256","x5c":["`+secret+`"]}`, `{}`, p256Key()),
		rawToken(`{"alg":"ES256","`+secret+`":1,"`+secret+`":1}`, `{}`, p256Key()),
		rawToken(`{"alg":"ES256"}`, `{"`+secret+`":1,"`+secret+`":1}`, p256Key()),
		rawToken(`{"alg":"ES256"}`, `{"`+secret+`":null}`, p256Key()),
		rawToken(`{"alg":"ES256"}`, secret, p256Key()),
	}
	for _, compact := range tokens {
		_, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v, want one that does not show the token", err)
		}
	}
}

func parse(t testing.TB, compact string) *jose.UnverifiedJWT {
	t.Helper()
	jwt, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		t.Fatalf("ParseSigned: %v", err)
	}
	return jwt
}
