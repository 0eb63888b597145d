package clientauth

import (
	"sync"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// decoyKeys stand in for the keys of a client that is not registered, one for
// each algorithm, so that guessing client identifiers costs and tells the same
// whether they exist or not.
var decoyKeys = sync.OnceValue(func() *jose.KeySet {
	var keys []jose.PublicKey
	for _, algorithm := range jose.SignatureAlgorithms() {
		if key, err := jose.GenerateSigningKey(algorithm); err == nil {
			keys = append(keys, key.Public())
		}
	}
	return jose.NewKeySet(keys...)
})
