package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// server is the authorization server: the real program, with the files of one
// run in a folder that goes with it.
type server struct {
	issuer      string
	mtlsBaseURL string
	authority   *authority
	person      fapitest.Person
	registrar   *registrar.Registrar
	parties     [2]party
	accounts    accountsAPI

	folder  string
	logFile string
	ports   ports
	process *process.Process
}

// ports are those of the server's listeners.
type ports struct{ Public, MTLS, Private, Health int }

const (
	username = "alice"
	// registrarURI names the registrar in its certificate for the private listener.
	registrarURI = "urn:fapi-operator:conformance:registrar"
	// startPatience bounds the start of the server.
	startPatience = time.Minute
)

// startServer builds the server, writes what it reads, and returns when it answers.
func startServer(ctx context.Context, settings settings) (started *server, err error) {
	folder, err := os.MkdirTemp("", "fapi-operator-conformance-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the server: %w", err)
	}
	s := &server{folder: folder, logFile: filepath.Join(folder, "authserver.log"), person: fapitest.Person{Username: username, Password: rand.Text()}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if err := process.Build(ctx, s.file("authserver"), "github.com/fapi-operator/fapi-operator/authserver"); err != nil {
		return nil, err
	}
	if s.ports, err = freePorts(settings.listen); err != nil {
		return nil, err
	}
	s.issuer = fmt.Sprintf("https://%s:%d", settings.host, s.ports.Public)
	s.mtlsBaseURL = fmt.Sprintf("https://%s:%d", settings.host, s.ports.MTLS)
	serving, err := s.makeAuthority(settings)
	if err != nil {
		return nil, err
	}
	if err := s.writeFiles(settings, serving); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, s.startAccounts(ctx, settings, serving)
}

func (s *server) start(ctx context.Context) error {
	started, err := process.Start(exec.Command(s.file("authserver"), "--config", s.file("authserver.yaml")), s.logFile)
	if err != nil {
		return err
	}
	s.process = started
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	return started.AwaitReady(ctx, s.askReady)
}

func (s *server) askReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/readyz", s.ports.Health), nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask for readiness: %s", response.Status)
	}
	return nil
}

// stop ends the server and removes its folder.
func (s *server) stop() {
	var ended error
	if s.process != nil {
		ended = s.process.Stop()
	}
	if err := errors.Join(s.accounts.stop(), ended, os.RemoveAll(s.folder)); err != nil {
		fmt.Fprintln(os.Stderr, "conformance: clean up:", err)
	}
}

// alive fails once the server has ended by itself.
func (s *server) alive() error {
	select {
	case <-s.process.Done():
		return s.process.Failure()
	default:
		return nil
	}
}

var configurationFile = template.Must(template.New("authserver.yaml").Parse(`# authserver/config/example.yaml explains every setting.
issuer: {{.Issuer}}
mtlsBaseURL: {{.MTLSBaseURL}}
listeners:
  public:
    address: {{.Listen}}:{{.Public}}
    tls: {certificateFile: {{.Folder}}/tls.crt, keyFile: {{.Folder}}/tls.key}
  mtls:
    address: {{.Listen}}:{{.MTLS}}
    tls: {certificateFile: {{.Folder}}/tls.crt, keyFile: {{.Folder}}/tls.key}
  private:
    address: 127.0.0.1:{{.Private}}
    tls: {certificateFile: {{.Folder}}/tls.crt, keyFile: {{.Folder}}/tls.key}
    clientCAFile: {{.Folder}}/ca.crt
    allowedClientSANs: ["{{.RegistrarURI}}"]
  health:
    address: 127.0.0.1:{{.Health}}
store:
  sqlite: {path: {{.Folder}}/authserver.db}
keyEncryptionKeyFile: {{.Folder}}/key-encryption-key
users: {file: {{.Folder}}/users.yaml}
defaultResource: {{.Resource}}
scopes:
  openid: {description: Know who you are}
  offline_access: {description: Keep access when you are away}
  accounts: {description: See your accounts}
authorizationDetailsTypes:
  {{.DetailsType}}: {description: Read your accounts, schemaFile: {{.Folder}}/details.json}
dpop: {nonces: "{{.Nonces}}"}
log: {level: info, format: text}
`))

// usersFile holds one user, of whom everything is known.
var usersFile = template.Must(template.New("users.yaml").Parse(`users:
- username: {{.Username}}
  passwordHash: {{.PasswordHash}}
  claims:
    name: Alice Mary Example
    given_name: Alice
    middle_name: Mary
    family_name: Example
    nickname: Al
    preferred_username: alice
    profile: https://people.bank.example/alice
    picture: https://people.bank.example/alice.png
    website: https://alice.example
    email: alice@bank.example
    email_verified: true
    gender: female
    birthdate: "1980-02-29"
    zoneinfo: Europe/London
    locale: en-GB
    phone_number: "+442079460000"
    phone_number_verified: true
    address: {street_address: 1 Example Street, locality: London, region: Greater London, postal_code: EC1A 1AA, country: United Kingdom}
    updated_at: 1700000000
`))

func (s *server) writeFiles(settings settings, serving pair) error {
	var config, users bytes.Buffer
	if err := errors.Join(
		configurationFile.Execute(&config, map[string]any{
			"Issuer": s.issuer, "MTLSBaseURL": s.mtlsBaseURL, "Listen": settings.listen, "Folder": s.folder,
			"RegistrarURI": registrarURI, "Resource": accountsResource, "DetailsType": detailsType, "Nonces": settings.nonces,
			"Public": s.ports.Public, "MTLS": s.ports.MTLS, "Private": s.ports.Private, "Health": s.ports.Health,
		}),
		usersFile.Execute(&users, map[string]any{"Username": s.person.Username, "PasswordHash": interaction.HashPassword(s.person.Password)}),
	); err != nil {
		return fmt.Errorf("write the server's configuration: %w", err)
	}
	if err := errors.Join(
		s.write("ca.crt", s.authority.pem()),
		s.write("tls.crt", serving.certificate), s.write("tls.key", serving.key),
		s.write("key-encryption-key", []byte(keys.GenerateKeyEncryptionKey())),
		s.write("authserver.yaml", config.Bytes()), s.write("users.yaml", users.Bytes()),
		s.write("details.json", []byte(detailsSchema)),
	); err != nil {
		return err
	}
	return s.connectRegistrar()
}

// makeAuthority makes the authority and the two clients, and issues the server's certificate.
func (s *server) makeAuthority(settings settings) (serving pair, err error) {
	address := net.ParseIP(settings.listen)
	if address == nil {
		return pair{}, fmt.Errorf("the listening address %q is no IP address", settings.listen)
	}
	if s.authority, err = newAuthority(); err != nil {
		return pair{}, err
	}
	for i := range s.parties {
		if s.parties[i], err = newParty(i+1, s.authority); err != nil {
			return pair{}, err
		}
	}
	return s.authority.issueServer(settings.host, address)
}

func (s *server) connectRegistrar() error {
	caller, err := s.authority.issueClient("registrar", registrarURI)
	if err != nil {
		return err
	}
	if err := errors.Join(s.write("registrar.crt", caller.certificate), s.write("registrar.key", caller.key)); err != nil {
		return err
	}
	s.registrar, err = registrar.New(registrar.Config{
		BaseURL: "https://localhost:" + strconv.Itoa(s.ports.Private), CAFile: s.file("ca.crt"),
		CertificateFile: s.file("registrar.crt"), KeyFile: s.file("registrar.key"),
	})
	return err
}

// resourceURL is the protected resource that the suite calls with access tokens:
// userinfo where there is an openid scope, at the listener that asks for the
// certificate to which tokens are bound; the accounts API otherwise.
func (s *server) resourceURL(v variant) string {
	switch {
	case !v.usesOpenID():
		return s.accounts.url
	case v.usesDPoP():
		return s.issuer + "/userinfo"
	}
	return s.mtlsBaseURL + "/userinfo"
}

func (s *server) file(name string) string { return filepath.Join(s.folder, name) }

func (s *server) write(name string, content []byte) error {
	if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
		return fmt.Errorf("write a file of the server: %w", err)
	}
	return nil
}

// freePorts finds four ports that nobody listens at.
func freePorts(address string) (ports, error) {
	var found [4]int
	for i := range found {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return ports{}, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // Only once all are found, so that they differ.
		found[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports{found[0], found[1], found[2], found[3]}, nil
}
