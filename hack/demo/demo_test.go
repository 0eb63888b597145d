package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
)

// What the demo writes is what the server reads.
func TestServerTakesTheDemosFiles(t *testing.T) {
	t.Parallel()
	d := &demo{folder: folder(t.TempDir()), account: newAccount(t.Output()), webhookAddress: "127.0.0.1", clusterUID: "cluster"}
	if err := d.writeFiles(context.Background()); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(d.folder.serverConfig())
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Issuer != issuer {
		t.Errorf("the issuer is %s", loaded.Issuer)
	}
	if _, err := interaction.LoadUsers(d.folder.file("users.yaml")); err != nil {
		t.Error(err)
	}
}

// A second run keeps the authority, the key encryption key and the password, and
// issues certificates that the first run's authority vouches for.
func TestSecondRunKeepsWhatOthersTrust(t *testing.T) {
	t.Parallel()
	home := folder(t.TempDir())
	kept := []string{"ca.crt", "ca.key", "key-encryption-key", "password", "users.yaml"}
	var before []string
	for run := range 2 {
		d := &demo{folder: home, account: newAccount(t.Output()), webhookAddress: "127.0.0.1", clusterUID: "cluster"}
		if err := d.writeFiles(context.Background()); err != nil {
			t.Fatal(err)
		}
		now := make([]string, len(kept))
		for i, name := range kept {
			now[i] = read(t, home.file(name))
		}
		if run > 0 && !slices.Equal(before, now) {
			t.Error("a second run changed what is to be kept")
		}
		before = now
	}
}

func TestAuthorityVouchesForWhatItIssues(t *testing.T) {
	t.Parallel()
	authority, err := openAuthority(folder(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.Leaf.CheckSignatureFrom(authority.Leaf); err != nil {
		t.Error(err)
	}
	home := folder(t.TempDir())
	if err := authority.writeServing(home, "webhook", net.IPv4(127, 0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	leaf := parse(t, read(t, home.file("webhook", "tls.crt")))
	for _, name := range []string{"localhost", "127.0.0.1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: authority.pool(), DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHalfAnAuthorityIsRefusedInWords(t *testing.T) {
	t.Parallel()
	home := folder(t.TempDir())
	for _, name := range []string{"ca.crt", "ca.key"} {
		if err := home.write([]byte("garbage"), name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openAuthority(home); err == nil || !strings.Contains(err.Error(), "delete") {
		t.Errorf("garbage for an authority: %v", err)
	}
}

func TestRuleIdentifiersAreCountedOnce(t *testing.T) {
	t.Parallel()
	refusal := `* spec.a: Forbidden: demand (FAPI2-SP-FINAL-5.3.2.1-6; FAPI 2.0 Security Profile, 5.3.2.1-6); do this
* spec.b: Forbidden: demand (as told) (LOCAL-LIST; our own choice); do that
* spec.c: Forbidden: demand (LOCAL-LIST; our own choice); do that`
	want := []string{"FAPI2-SP-FINAL-5.3.2.1-6", "LOCAL-LIST"}
	if got := ruleIdentifiers(refusal); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestRefusalOfAnotherKindIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"accepted": nil, "no answer": context.DeadlineExceeded} {
		if _, err := refused("the token", err, 401, "invalid_token"); err == nil {
			t.Errorf("%s: taken for a refusal", name)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func parse(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
