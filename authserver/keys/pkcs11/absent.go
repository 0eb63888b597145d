//go:build !pkcs11

package pkcs11

import (
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

// Open says that this program cannot use a PKCS #11 module.
func Open(Settings) (keys.Custodian, error) {
	return nil, errors.New("this program was built without PKCS #11; build it with `make build-pkcs11` (cgo and the tag pkcs11), or remove keys.pkcs11 from the configuration")
}
