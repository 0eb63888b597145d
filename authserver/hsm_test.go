//go:build pkcs11

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys/pkcs11"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/softhsm"
)

// The commands find the keys that a server has in a token, beside it, and name
// what is wrong there.
func TestCheckLooksIntoTheToken(t *testing.T) {
	token := softhsm.New(t, "")
	server := fapitest.Prepare(t, fmt.Sprintf("keys: {pkcs11: {moduleFile: %s, tokenLabel: %s, pinFile: %s}}", softhsm.ModuleFile, token.Label, token.PINFile))
	server.ForgetSeed(t)
	server.Start(t)
	t.Cleanup(server.Stop)
	authserver(t, "--config", server.ConfigFile, "--check-config").wants(t, 0)
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 0, "opens every one of the 8 server keys")
	server.Stop()

	custodian, err := pkcs11.Open(pkcs11.Settings{ModuleFile: softhsm.ModuleFile, TokenLabel: token.Label, PINFile: token.PINFile, Owner: server.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	left, _, err := custodian.Make(t.Context(), jose.ES256, "sig/ES256/2")
	if err != nil {
		t.Fatal(err)
	}
	if err := custodian.Close(); err != nil {
		t.Fatal(err)
	}
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 1, left, "belongs to no server key")

	write(t, token.PINFile, []byte("a wrong one\n"))
	refused := authserver(t, "--config", server.ConfigFile, "--check-config")
	refused.wants(t, 1, token.PINFile, "CKR_PIN_INCORRECT")
	if strings.Contains(refused.errors, "a wrong one") {
		t.Errorf("the PIN is told: %s", refused.errors)
	}
}
