package postgres

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Settings say where the database is and who the server is there. Secrets stand
// in files, which are read again for every connection: a renewed password or
// certificate needs no restart.
type Settings struct {
	// Hosts are host:port; of several the first that takes writes is used. A host
	// that begins with a slash is the directory of a Unix socket, without TLS.
	// Everywhere else the server's certificate is verified, its name included.
	Hosts    []string
	Database string
	User     string
	// PasswordFile holds the password, possibly followed by a line break; empty
	// when a certificate or the socket says who the server is.
	PasswordFile string
	// CAFile are the CA certificates (PEM) of the database; empty for those of the system.
	CAFile string
	// CertificateFile and KeyFile (PEM) are what the server shows; both or none.
	CertificateFile string
	KeyFile         string
	// MaxConnections bounds the connections of this process.
	MaxConnections int
}

// Times that the database and the network are given; our own choices.
const (
	connectTime = 3 * time.Second
	// statementTime ends a statement, and with it the wait for a lock.
	statementTime = 5 * time.Second
	// idleTransactionTime ends the transaction of a server that has gone, and
	// gives its locks free.
	idleTransactionTime = 10 * time.Second
	// lockTime is how long a migration waits for a table, and makes replicas wait behind it.
	lockTime = 3 * time.Second
)

// connection is the configuration of the next connection.
func (s Settings) connection() (*pgx.ConnConfig, error) {
	// All that the environment (PGHOST and the like) could say is said here.
	config, err := pgx.ParseConfig("host=localhost port=5432 user=x password=x dbname=x sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL settings of the environment (PG...): %w", err)
	}
	config.RuntimeParams = map[string]string{
		"application_name":                    "fapi-operator authserver",
		"client_encoding":                     "UTF8",
		"statement_timeout":                   milliseconds(statementTime),
		"idle_in_transaction_session_timeout": milliseconds(idleTransactionTime),
	}
	config.ConnectTimeout = connectTime
	// A standby, or a primary that has become one, is passed over.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	config.Database, config.User = s.Database, s.User
	return config, s.complete(config)
}

// complete sets what comes from files, and the hosts.
func (s Settings) complete(config *pgx.ConnConfig) error {
	password, err := s.password()
	if err != nil {
		return err
	}
	verify, err := s.tls()
	if err != nil {
		return err
	}
	var targets []*pgconn.FallbackConfig
	for _, address := range s.Hosts {
		target, err := targetOf(address, verify)
		if err != nil {
			return err
		}
		targets = append(targets, target)
	}
	if len(targets) == 0 {
		return errors.New("no host is given")
	}
	config.Password = password
	config.Host, config.Port, config.TLSConfig = targets[0].Host, targets[0].Port, targets[0].TLSConfig
	config.Fallbacks = targets[1:]
	return nil
}

func targetOf(address string, verify *tls.Config) (*pgconn.FallbackConfig, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the host %q: %w", address, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("the host %q: its port is no number", address)
	}
	target := &pgconn.FallbackConfig{Host: host, Port: uint16(number)}
	if !strings.HasPrefix(host, "/") {
		target.TLSConfig = verify.Clone()
		target.TLSConfig.ServerName = host
	}
	return target, nil
}

func (s Settings) password() (string, error) {
	if s.PasswordFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(bytes.TrimRight(text, "\r\n")), nil
}

func (s Settings) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		text, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the database's CA certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no CA certificate in PEM", s.CAFile)
		}
	}
	if s.CertificateFile != "" {
		certificate, err := tls.LoadX509KeyPair(s.CertificateFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate for the database: %w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
