package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"

	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// operatorURI names the operator in its certificate for the private listener.
const operatorURI = "urn:fapi-operator:demo:operator"

const username = "alice"

// writeFiles writes what the server and the operator read: certificates anew,
// keys and the user once.
func (d *demo) writeFiles(context.Context) (err error) {
	if d.authority, err = openAuthority(d.folder); err != nil {
		return err
	}
	here := net.IPv4(127, 0, 0, 1)
	reached := net.ParseIP(d.webhookAddress)
	if reached == nil {
		return fmt.Errorf("--webhook-address %q is no IP address", d.webhookAddress)
	}
	if err := errors.Join(
		d.authority.writeServing(d.folder, "authserver", here),
		d.authority.writeServing(d.folder, "webhook", here, reached),
		d.authority.writeClient(d.folder, "operator", operatorURI),
		d.keepKeyEncryptionKey(),
		d.keepPerson(),
		d.writeServerConfig(),
	); err != nil {
		return err
	}
	d.account.line("in %s", d.folder)
	return nil
}

func (d *demo) keepKeyEncryptionKey() error {
	const name = "key-encryption-key"
	if exists(d.folder.file(name)) {
		return nil
	}
	return d.folder.write([]byte(keys.GenerateKeyEncryptionKey()), name)
}

// keepPerson makes the one user, whose password nobody else knows.
func (d *demo) keepPerson() error {
	const name = "password"
	if !exists(d.folder.file(name)) {
		password := rand.Text()
		users := fmt.Appendf(nil, "users:\n- username: %s\n  passwordHash: %s\n  claims: {name: Alice Example, email: alice@bank.example}\n",
			username, interaction.HashPassword(password))
		if err := errors.Join(d.folder.write(users, "users.yaml"), d.folder.write([]byte(password), name)); err != nil {
			return err
		}
	}
	password, err := os.ReadFile(d.folder.file(name))
	if err != nil {
		return fmt.Errorf("read the demo user's password: %w", err)
	}
	d.person = fapitest.Person{Username: username, Password: string(password)}
	return nil
}

var serverConfig = template.Must(template.New("authserver.yaml").Parse(`# Written by the demo. authserver/config/example.yaml explains every setting.
issuer: {{.Issuer}}
mtlsBaseURL: https://localhost:{{.MTLSPort}}
listeners:
  public:
    address: 127.0.0.1:{{.PublicPort}}
    tls: {certificateFile: {{.Folder}}/authserver/tls.crt, keyFile: {{.Folder}}/authserver/tls.key}
  mtls:
    address: 127.0.0.1:{{.MTLSPort}}
    tls: {certificateFile: {{.Folder}}/authserver/tls.crt, keyFile: {{.Folder}}/authserver/tls.key}
  private:
    address: 127.0.0.1:{{.PrivatePort}}
    tls: {certificateFile: {{.Folder}}/authserver/tls.crt, keyFile: {{.Folder}}/authserver/tls.key}
    clientCAFile: {{.Folder}}/ca.crt
    allowedClientSANs: ["{{.OperatorURI}}"]
  health:
    address: 127.0.0.1:{{.HealthPort}}
store:
  sqlite: {path: {{.Store}}}
keyEncryptionKeyFile: {{.Folder}}/key-encryption-key
users: {file: {{.Folder}}/users.yaml}
defaultResource: https://api.bank.example
scopes:
  openid: {description: Know who you are}
  offline_access: {description: Keep access when you are away}
  accounts: {description: See your accounts and their balances}
  payments: {description: Prepare payments in your name}
log: {level: info, format: json}
`))

func (d *demo) writeServerConfig() error {
	store := d.folder.store(d.clusterUID)
	if err := os.MkdirAll(filepath.Dir(store), 0o700); err != nil {
		return fmt.Errorf("make the store's folder: %w", err)
	}
	var text bytes.Buffer
	err := serverConfig.Execute(&text, map[string]any{
		"Issuer": issuer, "Folder": d.folder, "Store": store, "OperatorURI": operatorURI,
		"PublicPort": publicPort, "MTLSPort": mtlsPort, "PrivatePort": privatePort, "HealthPort": healthPort,
	})
	if err != nil {
		return fmt.Errorf("write the server's configuration: %w", err)
	}
	return d.folder.write(text.Bytes(), filepath.Base(d.folder.serverConfig()))
}
