package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

func TestHashPasswordWritesWhatTheUsersFileHolds(t *testing.T) {
	t.Parallel()
	var hash strings.Builder
	if err := hashPassword(t.Context(), nil, strings.NewReader("correct horse\n"), &hash); err != nil {
		t.Fatal(err)
	}
	file := "users:\n- username: alice\n  passwordHash: " + hash.String()
	users, err := interaction.ParseUsers([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Authenticate(t.Context(), "alice", "correct horse"); err != nil {
		t.Error(err)
	}
}

func TestHashPasswordAsksForOne(t *testing.T) {
	t.Parallel()
	if err := hashPassword(t.Context(), nil, strings.NewReader("\n"), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("got %v", err)
	}
}

func TestGeneratedKeyEncryptionKeyIsRead(t *testing.T) {
	t.Parallel()
	var line strings.Builder
	if err := generateKeyEncryptionKey(t.Context(), nil, nil, &line); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key-encryption-key")
	if err := os.WriteFile(path, []byte(line.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.ReadKeyEncryptionKeys(path); err != nil {
		t.Error(err)
	}
}

func TestACertificateThatIsNoneIsFoundByCheckConfig(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "proxy.crt", "kek", "users.yaml", "payment.json"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte("garbage\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const tls = "address: 127.0.0.1:0, tls: {certificateFile: tls.crt, keyFile: tls.key}"
	text := "issuer: https://auth.example.com\nmtlsBaseURL: https://mtls.auth.example.com\n" +
		"listeners:\n  public: {" + tls + "}\n  mtls: {" + tls + ", proxy: {clientCAFile: proxy.crt, sans: [edge], header: Client-Cert}}\n" +
		"  private: {" + tls + ", clientCAFile: ca.crt, allowedClientSANs: [operator]}\n" +
		"  health: {address: 127.0.0.1:0}\nstore: {sqlite: {path: server.db}}\nkeyEncryptionKeyFile: kek\nusers: {file: users.yaml}\n" +
		"defaultResource: https://api.example.com\n" +
		"authorizationDetailsTypes: {payment: {description: Pay, schemaFile: payment.json}}\n"
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "proxy.crt", "kek", "users.yaml", "server.db", "payment.json"} {
		text = strings.ReplaceAll(text, " "+name, " "+filepath.Join(directory, name))
	}
	file := filepath.Join(directory, "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"--config", file, "--check-config"})
	if err == nil {
		t.Fatal("garbage was found good")
	}
	for _, want := range []string{"public listener", "mtls listener: ", "mtls listener's proxy: ", "private listener", "kek", "users.yaml", "payment.json"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}
