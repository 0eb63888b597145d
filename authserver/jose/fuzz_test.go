package jose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func FuzzParseSigned(f *testing.F) {
	good := token(members{"alg": "ES256", "jwk": jwkOf(&p256Key().PublicKey)}, claims, p256Key())
	part := strings.Split(good, ".")
	f.Add(`{"alg":"ES256"}`, `{"iss":"a","exp":1.5,"aud":["b"]}`, part[2])
	f.Add(`{"alg":"Ed25519","kid":"k","typ":"JWT"}`, `{}`, "")
	f.Add(string(members{"alg": "PS256", "jwk": jwkOf(&rsaKey().PublicKey)}.json()), `{"aud":"b"}`, part[2])
	f.Add(`{"alg":"ES256","crit":[]}`, `[]`, "=")
	set := parseSet(f, jwkOf(&p256Key().PublicKey), jwkOf(&rsaKey().PublicKey), jwkOf(ed25519of().Public()))
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		compact := b64([]byte(header)) + "." + b64([]byte(payload)) + "." + signature
		jwt, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
		if err != nil {
			return
		}
		if !json.Valid([]byte(payload)) || !json.Valid([]byte(header)) {
			t.Fatal("a JWT that is not JSON was read")
		}
		if _, err := jwt.Verify(set); err == nil && !strings.HasPrefix(good, b64([]byte(header))+"."+b64([]byte(payload))+".") {
			t.Fatal("a forged token verifies")
		}
		_, _ = jwt.VerifyWithEmbeddedKey()
	})
}

func FuzzParseKeySet(f *testing.F) {
	f.Add(setOf(jwkOf(&p256Key().PublicKey).with("kid", "a").with("use", "sig").with("key_ops", []string{"verify"})))
	f.Add(setOf(jwkOf(&rsaKey().PublicKey), jwkOf(ed25519of().Public()).with("alg", "EdDSA")))
	f.Add(setOf(jwkOf(&p256Key().PublicKey).with("d", "AA")))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","x5c":["AA"]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := jose.ParseKeySet(raw)
		if err != nil {
			return
		}
		written, err := json.Marshal(set)
		if err != nil {
			t.Fatalf("a set that was read cannot be written: %v", err)
		}
		again, err := jose.ParseKeySet(written)
		if err != nil {
			t.Fatalf("a set that was written does not read back: %v", err)
		}
		if rewritten := must(json.Marshal(again)); string(rewritten) != string(written) {
			t.Fatalf("the canonical form is not stable:\n%s\n%s", written, rewritten)
		}
	})
}

func FuzzDecrypt(f *testing.F) {
	keys := []*jose.DecryptionKey{must(jose.GenerateDecryptionKey(jose.RSAOAEP)), must(jose.GenerateDecryptionKey(jose.ECDHES)),
		must(jose.GenerateDecryptionKey(jose.ECDHESA128KW))}
	for _, key := range keys {
		alg, _ := jose.ParseKeyManagementAlgorithm(key.Public().Algorithm())
		for _, enc := range jose.ContentEncryptions() {
			compact := must(jose.Encrypt([]byte("content"), "JWT", key.Public(), alg, enc))
			f.Add(string(decodePart(f, compact, 0).json()), withoutHeader(compact))
		}
	}
	f.Fuzz(func(t *testing.T, header, rest string) {
		plaintext, err := decrypt(b64([]byte(header))+rest, keys...)
		if err == nil && string(plaintext) != "content" {
			t.Fatal("something else than was encrypted came out")
		}
	})
}
