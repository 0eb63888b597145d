//go:build !pkcs11

package pkcs11

import (
	"strings"
	"testing"
)

func TestAProgramWithoutPKCS11SaysSo(t *testing.T) {
	t.Parallel()
	custodian, err := Open(Settings{})
	if custodian != nil || err == nil || !strings.Contains(err.Error(), "built without PKCS #11") {
		t.Errorf("got %v, %v", custodian, err)
	}
}
