package keys

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// The uses of a key (RFC 7517, 4.2).
const (
	useSignature  = "sig"
	useEncryption = "enc"
)

// place is where keys follow one another: a use and an algorithm.
type place struct{ use, algorithm string }

// places has one for each algorithm, since no key serves two (NIST SP 800-57 Part 1, 5.2).
func places() []place {
	var all []place
	for _, alg := range jose.SignatureAlgorithms() {
		all = append(all, place{useSignature, string(alg)})
	}
	for _, alg := range jose.KeyManagementAlgorithms() {
		all = append(all, place{useEncryption, string(alg)})
	}
	return all
}

func placeOf(row store.ServerKey) place { return place{row.Use, row.Algorithm} }

// id is the identifier of the place's key of a generation. Replicas that make the
// same key at once want the same identifier, and the store gives it to one.
func (p place) id(generation int) string { return p.prefix() + strconv.Itoa(generation) }

func (p place) prefix() string { return p.use + "/" + p.algorithm + "/" }

// generationOf reads the identifier of a key.
func generationOf(row store.ServerKey) (int, error) {
	number, atPlace := strings.CutPrefix(row.ID, placeOf(row).prefix())
	generation, err := strconv.Atoi(number)
	if !atPlace || err != nil || generation < 1 || placeOf(row).id(generation) != row.ID {
		return 0, fmt.Errorf("server key %q: %w", row.ID, ErrMisplaced)
	}
	return generation, nil
}

// generate makes a private JWK for the place.
func (p place) generate() ([]byte, error) {
	if p.use == useSignature {
		key, err := jose.GenerateSigningKey(jose.SignatureAlgorithm(p.algorithm))
		if err != nil {
			return nil, err
		}
		return key.MarshalPrivate()
	}
	key, err := jose.GenerateDecryptionKey(jose.KeyManagementAlgorithm(p.algorithm))
	if err != nil {
		return nil, err
	}
	return key.MarshalPrivate()
}
