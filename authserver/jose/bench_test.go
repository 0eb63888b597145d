package jose_test

import (
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func BenchmarkSign(b *testing.B) {
	for _, alg := range jose.SignatureAlgorithms() {
		key := generated(b, alg)
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign("at+jwt", claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify is what an endpoint does for a token: parse it, find the key in a set that was parsed before, verify,
// decode.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range jose.SignatureAlgorithms() {
		key := generated(b, alg)
		set := jose.NewKeySet(generated(b, jose.ES256).Public(), key.Public())
		compact := must(key.Sign("at+jwt", claims))
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				verified, err := parse(b, compact).Verify(set)
				if err != nil {
					b.Fatal(err)
				}
				if err := verified.Claims(&assertion{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyWithEmbeddedKey is what every DPoP request costs.
func BenchmarkVerifyWithEmbeddedKey(b *testing.B) {
	proof := must(generated(b, jose.ES256).SignWithEmbeddedKey("dpop+jwt", claims))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(b, proof).VerifyWithEmbeddedKey(); err != nil {
			b.Fatal(err)
		}
	}
}
