package jose

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// MarshalPrivatePEM writes the private key in PEM (PKCS #8, RFC 5958) for software that reads no JWK. It fails when
// the private key is not in memory.
func (k *SigningKey) MarshalPrivatePEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
