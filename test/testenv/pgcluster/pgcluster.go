// Package pgcluster gives tests a real PostgreSQL: a cluster of its own in a
// temporary folder, on a Unix socket and, with TLS, on a free loopback port.
// Nothing of it outlives the test process, and no other cluster is touched.
//
// A package whose tests share one cluster has a TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(pgcluster.Main(m)) }
//
// and each test takes a Database of its own. The first one starts the cluster.
package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// startTime bounds the start, the recovery from a crash included.
const startTime = time.Minute

// pollInterval is the time between two questions whether a condition holds.
const pollInterval = 10 * time.Millisecond

// User is the one user of every database: its owner.
const User = "authserver"

// Durability is what the cluster does for its data.
type Durability string

// A cluster that forgets after a crash of the machine is several times as fast.
const (
	Forgetful Durability = "off"
	Durable   Durability = "on"
)

// Cluster is a running PostgreSQL.
type Cluster struct {
	// Directory holds the Unix socket, and the files below.
	Directory string
	Port      int
	// PasswordFile is the user's, CAFile what the TLS certificate is verified with.
	PasswordFile string
	CAFile       string
	// Password is in PasswordFile.
	Password string

	durability Durability
	neighbors  Neighbors
	data       string
	programs   string
	account    *account
	process    *process.Process
	created    atomic.Int64
}

// Database is a database of a cluster, and empty at first.
type Database struct {
	*Cluster
	Name string
	// User owns it.
	User string
}

var shared struct {
	sync.Mutex
	cluster *Cluster
}

// Main runs a package's tests, then stops the shared cluster if one asked for
// it, and returns the exit code for os.Exit.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return code
	}
	if err := shared.cluster.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// New makes an empty database in the cluster that the package's tests share.
func New(t testing.TB) *Database {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		shared.cluster = start(t, Forgetful, Neighbors{})
	}
	return shared.cluster.Database(t)
}

// Start starts a cluster for one test, which may crash it.
func Start(t testing.TB, durability Durability) *Cluster {
	t.Helper()
	return StartFor(t, durability, Neighbors{})
}

// Neighbors are programs beyond this machine's loopback that use a cluster: they
// come to an IP address of this machine, and know it by a DNS name.
type Neighbors struct{ Address, Name string }

// StartFor is Start for a cluster that neighbors use too, at its port and with TLS.
func StartFor(t testing.TB, durability Durability, neighbors Neighbors) *Cluster {
	t.Helper()
	c := start(t, durability, neighbors)
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func start(t testing.TB, durability Durability, neighbors Neighbors) *Cluster {
	t.Helper()
	c, err := prepare(t, durability, oauth.NewSecret().Reveal(), neighbors)
	if err == nil {
		err = c.initialize()
	}
	if err == nil {
		err = c.run(t.Context())
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return c
}

// prepare makes the cluster's files, but for its data.
func prepare(t testing.TB, durability Durability, password string, neighbors Neighbors) (_ *Cluster, err error) {
	t.Helper()
	c := &Cluster{Password: password, durability: durability, neighbors: neighbors}
	if c.programs, err = findPrograms(); err != nil {
		return nil, err
	}
	if c.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if c.Directory, err = os.MkdirTemp("", "pgcluster-"); err != nil {
		return nil, err
	}
	if c.Port, err = process.FreePort(); err != nil {
		return nil, err
	}
	authority := testca.New(t, "database authority", time.Now())
	authority.Issue(t, c.names()).Write(t, c.Directory)
	c.CAFile = testca.WriteFile(t, c.Directory, "ca.crt", authority.PEM())
	c.PasswordFile = testca.WriteFile(t, c.Directory, "password", []byte(c.Password+"\n"))
	c.data = filepath.Join(c.Directory, "data")
	return c, c.account.own(c.Directory, "tls.crt", "tls.key", "ca.crt", "password")
}

// initialize makes the data of a cluster that is new.
func (c *Cluster) initialize() error {
	if err := c.command("initdb", "--pgdata", c.data, "--username", User, "--pwfile", c.PasswordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"); err != nil {
		return err
	}
	return errors.Join(c.configure(), c.admitNeighbors())
}

// names are what the cluster's TLS certificate is for.
func (c *Cluster) names() testca.Leaf {
	leaf := testca.Leaf{DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if c.neighbors.Name != "" {
		leaf.DNS = append(leaf.DNS, c.neighbors.Name)
	}
	return leaf
}

// admitNeighbors lets them in, with TLS and the password.
func (c *Cluster) admitNeighbors() error {
	if c.neighbors.Address == "" {
		return nil
	}
	return appendTo(filepath.Join(c.data, "pg_hba.conf"), "hostssl all all all scram-sha-256\n")
}

func appendTo(path, text string) (err error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = file.WriteString(text)
	return err
}

// configure adds to the settings; of a setting that is there already the last counts.
func (c *Cluster) configure() error {
	listen := "127.0.0.1"
	if c.neighbors.Address != "" {
		listen += "," + c.neighbors.Address
	}
	return appendTo(filepath.Join(c.data, "postgresql.auto.conf"), fmt.Sprintf(`
listen_addresses = '%[4]s'
port = %[2]d
unix_socket_directories = '%[1]s'
ssl = on
ssl_cert_file = '%[1]s/tls.crt'
ssl_key_file = '%[1]s/tls.key'
max_connections = 500
shared_buffers = 128MB
fsync = %[3]s
full_page_writes = %[3]s
# A standby that has lost its primary may pause so long before it sees that it is promoted.
wal_retrieve_retry_interval = 500ms
`, c.Directory, c.Port, c.durability, listen))
}

// run starts the server and waits until it takes connections.
func (c *Cluster) run(ctx context.Context) (err error) {
	cmd := exec.Command(filepath.Join(c.programs, "postgres"), "-D", c.data)
	cmd.SysProcAttr = c.account.attributes()
	if c.process, err = process.Start(cmd, filepath.Join(c.Directory, "log")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return c.process.AwaitReady(ctx, func(ctx context.Context) error {
		connection, err := pgx.Connect(ctx, c.url("postgres"))
		if err != nil {
			return err
		}
		return connection.Close(ctx)
	})
}

func (c *Cluster) url(database string) string {
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", c.Directory, c.Port, User, c.Password, database)
}

// Database makes an empty database.
func (c *Cluster) Database(t testing.TB) *Database {
	t.Helper()
	database := &Database{Cluster: c, Name: fmt.Sprintf("test_%d", c.created.Add(1)), User: User}
	c.Exec(t, "CREATE DATABASE "+database.Name)
	return database
}

// Exec runs statements as the superuser.
func (c *Cluster) Exec(t testing.TB, statements ...string) {
	t.Helper()
	c.exec(t, "postgres", statements)
}

// Exec runs statements in the database as the superuser.
func (d *Database) Exec(t testing.TB, statements ...string) {
	t.Helper()
	d.exec(t, d.Name, statements)
}

// Config is how the superuser connects to the database.
func (d *Database) Config(t testing.TB) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(d.url(d.Name))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (c *Cluster) exec(t testing.TB, database string, statements []string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), c.url(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }() // All statements were answered.
	for _, statement := range statements {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Texts asks the database as the superuser, and gives the one text column of every row.
func (d *Database) Texts(t testing.TB, query string) []string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), d.url(d.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }() // The answer has come.
	rows, err := connection.Query(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return texts
}

// Await asks the database as the superuser until the condition, a boolean query, holds.
func (d *Database) Await(t testing.TB, condition string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	connection, err := pgx.Connect(ctx, d.url(d.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }() // The answer has come.
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for holds := false; !holds; <-poll.C {
		if err := connection.QueryRow(ctx, condition).Scan(&holds); err != nil {
			t.Fatalf("wait until %s: %v", condition, err)
		}
	}
}

// Socket is the cluster's address on its Unix socket, Address that on loopback,
// with TLS.
func (c *Cluster) Socket() string { return net.JoinHostPort(c.Directory, strconv.Itoa(c.Port)) }

// Address is host:port, with TLS.
func (c *Cluster) Address() string { return net.JoinHostPort("localhost", strconv.Itoa(c.Port)) }

// SocketFile is where the server listens.
func (c *Cluster) SocketFile() string {
	return filepath.Join(c.Directory, fmt.Sprintf(".s.PGSQL.%d", c.Port))
}

// Dump is the whole database as SQL text (pg_dump).
func (d *Database) Dump(t testing.TB) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(d.programs, "pg_dump"),
		"--host", d.Directory, "--port", strconv.Itoa(d.Port), "--username", User, d.Name)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+d.Password)
	dump, err := cmd.Output()
	if failure, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("pg_dump: %v: %s", err, failure.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dump
}

// Crash ends the server in the middle of whatever it does; nothing is written
// that was not written before.
func (c *Cluster) Crash(t testing.TB) {
	t.Helper()
	if err := c.stop("immediate"); err != nil {
		t.Fatal(err)
	}
}

// Restart starts a server that crashed.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	if err := c.run(t.Context()); err != nil {
		t.Fatalf("start PostgreSQL again: %v", err)
	}
}

func (c *Cluster) stop(mode string) error {
	select {
	case <-c.process.Done():
		return nil
	default:
	}
	err := c.command("pg_ctl", "stop", "--pgdata", c.data, "--mode", mode, "--no-wait")
	if err != nil {
		return errors.Join(err, c.process.Stop())
	}
	<-c.process.Done()
	return nil
}

func (c *Cluster) remove() error {
	return errors.Join(c.stop("immediate"), os.RemoveAll(c.Directory))
}

// command runs one of PostgreSQL's programs as the server's account.
func (c *Cluster) command(name string, arguments ...string) error {
	cmd := exec.Command(filepath.Join(c.programs, name), arguments...)
	cmd.Dir = c.Directory
	cmd.SysProcAttr = c.account.attributes()
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, output)
	}
	return nil
}
