package jose_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func TestClosedSets(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]jose.SignatureAlgorithm{"PS256", "ES256", "EdDSA"}, jose.SignatureAlgorithms()); diff != "" {
		t.Errorf("signature algorithms\n%s", diff)
	}
	if diff := cmp.Diff([]jose.KeyManagementAlgorithm{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"},
		jose.KeyManagementAlgorithms()); diff != "" {
		t.Errorf("key management algorithms\n%s", diff)
	}
	if diff := cmp.Diff([]jose.ContentEncryption{"A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"}, jose.ContentEncryptions()); diff != "" {
		t.Errorf("content encryptions\n%s", diff)
	}
}

func TestNamesParseExactly(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "none", "RS256", "HS256", "ES384", "es256", "ES256 ", "Ed25519", "RSA1_5", "dir", "A128KW",
		"A256GCMKW", "PBES2-HS256+A128KW", "ECDH-ES+A192KW", "RSA-OAEP-512", "A192GCM", "A192CBC-HS384"} {
		if got, known := jose.ParseSignatureAlgorithm(name); known || got != "" {
			t.Errorf("%q is a signature algorithm", name)
		}
		if got, known := jose.ParseKeyManagementAlgorithm(name); known || got != "" {
			t.Errorf("%q is a key management algorithm", name)
		}
		if got, known := jose.ParseContentEncryption(name); known || got != "" {
			t.Errorf("%q is a content encryption", name)
		}
	}
	if got, known := jose.ParseSignatureAlgorithm("ES256"); !known || got != jose.ES256 {
		t.Error("ES256 is not known")
	}
}
