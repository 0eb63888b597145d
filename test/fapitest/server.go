package fapitest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/authserver/server"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// Server is the real authorization server, in process: its four listeners on the
// loopback interface, a database, certificates of its own authority, two users,
// and a clock that the test moves.
type Server struct {
	Issuer      string
	MTLSBaseURL string
	HealthURL   string
	// PrivateAddress is host:port of the private listener.
	PrivateAddress string
	// ConfigFile is the file that the server was configured from;
	// KeyEncryptionKeyFile is one that it names.
	ConfigFile           string
	KeyEncryptionKeyFile string
	// Authority issued the server's certificates, and issues clients'.
	Authority *testca.Authority
	Clock     *Clock
	// Person is Alice, of whom everything is known; Other is Bob, of whom nothing is.
	Person Person
	Other  Person
	// Registrar registers clients at the private listener, over mutual TLS.
	Registrar *registrar.Registrar

	log      *Log
	settings settings
	config   config.Config
	stop     func()
	// running is the server since Start.
	running *server.Server
}

// DefaultResource is the audience of access tokens.
const DefaultResource = "https://api.bank.example"

// PasswordACR is the acr of a login.
const PasswordACR = "urn:example:acr:password"

// StartServer starts a server that ends with the test. What is given beside is
// added to its configuration, in YAML.
func StartServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := Prepare(t, settings...)
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// StartServerOn starts a server whose state is in the database.
func StartServerOn(t testing.TB, database *pgcluster.Database, added ...string) *Server {
	t.Helper()
	s := PrepareOn(t, database, added...)
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// Prepare writes the files of a server, as StartServer does, and does not start
// it. Its state is going to be in an SQLite file.
func Prepare(t testing.TB, added ...string) *Server {
	t.Helper()
	return prepare(t, nil, added)
}

// PrepareOn is Prepare for a server whose state is in the database.
func PrepareOn(t testing.TB, database *pgcluster.Database, added ...string) *Server {
	t.Helper()
	return prepare(t, database, added)
}

func prepare(t testing.TB, database *pgcluster.Database, added []string) *Server {
	t.Helper()
	now := time.Now()
	s := &Server{
		Authority: testca.New(t, "test authority", now), Clock: NewClock(now), log: &Log{},
		Person: Person{Username: "alice", Password: "correct horse battery staple"},
		Other:  Person{Username: "bob", Password: "correct horse battery staple"},
	}
	s.settings = settings{Directory: t.TempDir(), Listeners: freePorts(t), Database: database, Added: strings.Join(added, "\n")}
	s.settings.Reached = s.settings.Listeners
	s.writeFiles(t)
	s.configure(t, "config.yaml")
	return s
}

// StartReplica starts another server of the same issuer, keys, clock and database,
// with listeners of its own: one more to which a load balancer sends requests.
// At says how a client comes to it.
func (s *Server) StartReplica(t testing.TB) *Server {
	t.Helper()
	replica := s.PrepareReplica(t)
	replica.Start(t)
	t.Cleanup(replica.Stop)
	return replica
}

// StartReplicaOn starts a replica that has another database than the others: what
// becomes of one that is configured wrong, or reads a copy that lags behind.
func (s *Server) StartReplicaOn(t testing.TB, database *pgcluster.Database) *Server {
	t.Helper()
	replica := s.prepareReplica(t, database)
	replica.Start(t)
	t.Cleanup(replica.Stop)
	return replica
}

// PrepareReplica writes the files of a replica, and does not start it.
func (s *Server) PrepareReplica(t testing.TB) *Server {
	t.Helper()
	return s.prepareReplica(t, s.settings.Database)
}

func (s *Server) prepareReplica(t testing.TB, database *pgcluster.Database) *Server {
	t.Helper()
	replica := &Server{Authority: s.Authority, Clock: s.Clock, Person: s.Person, Other: s.Other, log: &Log{}, settings: s.settings}
	replica.settings.Listeners, replica.settings.Database = freePorts(t), database
	replica.configure(t, fmt.Sprintf("replica-%d.yaml", replica.settings.Listeners.Public))
	return replica
}

// Listeners are where a server listens: host:port each, on loopback.
type Listeners struct{ Public, MTLS, Private string }

// Listeners are where this server listens, which for a replica is not where
// clients look for the issuer.
func (s *Server) Listeners() Listeners {
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	ports := s.settings.Listeners
	return Listeners{Public: at(ports.Public), MTLS: at(ports.MTLS), Private: at(ports.Private)}
}

// At is the same client, whose connections to the issuer come to this replica.
func (s *Server) At(client *Client) *Client {
	there := client.With(client.Misbehave)
	there.Judge = s.judge
	reached, listeners := s.settings.Reached, s.settings.Listeners
	there.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case fmt.Sprintf("localhost:%d", reached.Public):
			address = fmt.Sprintf("localhost:%d", listeners.Public)
		case fmt.Sprintf("localhost:%d", reached.MTLS):
			address = fmt.Sprintf("localhost:%d", listeners.MTLS)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return there
}

// configure writes the configuration and loads it.
func (s *Server) configure(t testing.TB, name string) {
	t.Helper()
	var text bytes.Buffer
	if err := configuration.Execute(&text, s.settings); err != nil {
		t.Fatal(err)
	}
	s.ConfigFile = testca.WriteFile(t, s.settings.Directory, name, text.Bytes())
	s.Issuer = fmt.Sprintf("https://localhost:%d", s.settings.Reached.Public)
	s.MTLSBaseURL = fmt.Sprintf("https://localhost:%d", s.settings.Reached.MTLS)
	s.HealthURL = fmt.Sprintf("http://127.0.0.1:%d", s.settings.Listeners.Health)
	s.PrivateAddress = fmt.Sprintf("localhost:%d", s.settings.Listeners.Private)
	s.Registrar = s.RegistrarOf(t, OperatorSAN)
	loaded, err := config.Load(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	s.config = loaded
	t.Cleanup(func() { s.showLog(t) })
}

// Start starts the server at its addresses, with what its store holds.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	running, err := server.New(ctx, s.config, s.Clock.Now, slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		cancel()
		t.Fatalf("start the server: %v", err)
	}
	s.running = running
	ended := make(chan error, 1)
	go func() { ended <- running.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended: %v", err)
		}
	})
}

// Stop ends the server; its store stays.
func (s *Server) Stop() { s.stop() }

// TurnKeys looks after the server's own keys, as the server does every minute of
// real time, whatever its clock shows.
func (s *Server) TurnKeys(t testing.TB) {
	t.Helper()
	if err := s.running.TurnKeys(t.Context()); err != nil {
		t.Fatalf("look after the server's keys: %v", err)
	}
}

// Stored is all that the server's store holds, as whoever steals it sees it: the
// database's dump, or the SQLite file with its log.
func (s *Server) Stored(t testing.TB) []byte {
	t.Helper()
	if s.settings.Database != nil {
		return s.settings.Database.Dump(t)
	}
	var all []byte
	for _, name := range []string{"authserver.db", "authserver.db-wal"} {
		content, err := os.ReadFile(filepath.Join(s.settings.Directory, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, content...)
	}
	return all
}

// Log is what the server has logged.
func (s *Server) Log() string { return s.log.String() }

func (s *Server) showLog(t testing.TB) {
	if t.Failed() {
		t.Logf("the server's log:\n%s", s.log.String())
	}
}

// settings are what the configuration's template is filled with.
type settings struct {
	Directory string
	// Listeners are where the server listens, Reached where the issuer's endpoints
	// are, which is another server's listeners where this one is a replica.
	Listeners, Reached ports
	// Database is nil for an SQLite file in the directory.
	Database *pgcluster.Database
	// ProxyHeader is what a proxy before the mtls listener sends; "" without one.
	ProxyHeader string
	// Added is YAML beside all else.
	Added string
}

type ports struct{ Public, MTLS, Private, Health int }

func freePorts(t testing.TB) ports {
	t.Helper()
	return ports{FreePort(t), FreePort(t), FreePort(t), FreePort(t)}
}

// FreePort is process.FreePort for tests.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

var configuration = template.Must(template.New("config").Parse(`
issuer: https://localhost:{{.Reached.Public}}
mtlsBaseURL: https://localhost:{{.Reached.MTLS}}
listeners:
  public:
    address: 127.0.0.1:{{.Listeners.Public}}
    tls: {certificateFile: {{.Directory}}/tls.crt, keyFile: {{.Directory}}/tls.key}
  mtls:
    address: 127.0.0.1:{{.Listeners.MTLS}}
    tls: {certificateFile: {{.Directory}}/tls.crt, keyFile: {{.Directory}}/tls.key}
{{- with .ProxyHeader}}
    proxy: {clientCAFile: {{$.Directory}}/` + proxyCAFile + `, sans: ["` + ProxySAN + `"], header: {{.}}}
{{- end}}
  private:
    address: 127.0.0.1:{{.Listeners.Private}}
    tls: {certificateFile: {{.Directory}}/tls.crt, keyFile: {{.Directory}}/tls.key}
    clientCAFile: {{.Directory}}/ca.crt
    allowedClientSANs: ["` + OperatorSAN + `"]
    boundClientSANs: {"` + EastSAN + `": [east], "` + WestSAN + `": [west]}
    administratorSANs: ["` + AdministratorSAN + `"]
  health:
    address: 127.0.0.1:{{.Listeners.Health}}
store:
{{- with .Database}}
  postgres:
    hosts: ["{{.Address}}"]
    database: {{.Name}}
    user: {{.User}}
    passwordFile: {{.PasswordFile}}
    tls: {caFile: {{.CAFile}}}
    maxConnections: 8
{{- else}}
  sqlite: {path: {{.Directory}}/` + databaseFile + `}
{{- end}}
keyEncryptionKeyFile: {{.Directory}}/` + keyEncryptionKeyFile + `
users: {file: {{.Directory}}/users.yaml}
authentication: {acr: {password: ` + PasswordACR + `}}
trustBundles: {partners: {{.Directory}}/ca.crt}
defaultResource: ` + DefaultResource + `
scopes:
  openid: {description: Know who you are}
  offline_access: {description: Keep access when you are away}
  accounts: {description: See your accounts}
  payments: {description: Prepare payments}
  profile: {description: Know your name}
authorizationDetailsTypes:
  account_information: {description: Read your accounts, schemaFile: {{.Directory}}/account_information.json, withoutPerson: true}
  payment_initiation: {description: Make this payment, schemaFile: {{.Directory}}/payment_initiation.json}
log: {level: debug, format: text}
{{.Added}}
`))

func (s *Server) writeFiles(t testing.TB) {
	t.Helper()
	directory := s.settings.Directory
	s.Authority.Server(t).Write(t, directory)
	testca.WriteFile(t, directory, "ca.crt", s.Authority.PEM())
	s.KeyEncryptionKeyFile = writeStore(t, directory)
	testca.WriteFile(t, directory, "users.yaml", fmt.Appendf(nil,
		"users:\n- username: %s\n  passwordHash: %s\n  claims: %s\n- username: bob\n  passwordHash: %[2]s\n",
		s.Person.Username, CheapHash(s.Person.Password), aliceClaims))
	testca.WriteFile(t, directory, "account_information.json", []byte(accountInformationSchema))
	testca.WriteFile(t, directory, "payment_initiation.json", []byte(paymentInitiationSchema))
}

// RegistrarOf calls the private listener with a certificate of the name.
func (s *Server) RegistrarOf(t testing.TB, name string) *registrar.Registrar {
	t.Helper()
	certificateFile, keyFile := s.Authority.Issue(t, testca.Leaf{URIs: []string{name}}).Write(t, t.TempDir())
	client, err := registrar.New(registrar.Config{
		BaseURL: "https://" + s.PrivateAddress, CAFile: filepath.Join(s.settings.Directory, "ca.crt"),
		CertificateFile: certificateFile, KeyFile: keyFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// aliceClaims are every claim that a person may have.
const aliceClaims = `
    name: Alice Example
    given_name: Alice
    family_name: Example
    middle_name: Ann
    nickname: Ali
    preferred_username: alice.example
    profile: https://people.bank.example/alice
    picture: https://people.bank.example/alice.png
    website: https://alice.example
    email: alice@bank.example
    email_verified: true
    gender: female
    birthdate: 1990-04-12
    zoneinfo: Europe/Berlin
    locale: de-DE
    phone_number: "+49 30 1234567"
    phone_number_verified: false
    address: {formatted: "Example Street 1\n10115 Berlin", street_address: Example Street 1, locality: Berlin, postal_code: "10115", country: Germany}
    updated_at: 1767225600`

// CheapHash is the hash of a password for a users' file. It uses the least that a users' file may hold, so that tests are fast.
func CheapHash(password string) string {
	const memoryKiB, passes, threads, tagBytes = 7 << 10, 5, 1, 32
	salt := []byte(strings.Repeat("s", 16))
	tag := argon2.IDKey([]byte(password), salt, passes, memoryKiB, threads, tagBytes)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, threads, encode(salt), encode(tag))
}

// Log is a log that is written and read at the same time.
type Log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (b *Log) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(line)
}

func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
