// Package server is the one place that knows every endpoint: it puts stores,
// keys, listeners, TLS and routes together.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/keys/pkcs11"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/postgres"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

// shutdownTime is how long requests under way may take once the server is told
// to stop: below the 30 s that Kubernetes grants a pod; our own choice.
const shutdownTime = 20 * time.Second

// Server is an authorization server whose sockets are open.
type Server struct {
	config    config.Config
	log       *slog.Logger
	now       func() time.Time
	store     store.Store
	custodian keys.Custodian // nil where the store keeps all keys
	keys      *keys.Ring
	listeners []listener
}

// listener is a socket and what it serves.
type listener struct {
	name    string
	socket  net.Listener
	handler http.Handler
}

// New opens the store, the keys and the sockets. The caller runs the server, or
// closes it.
func New(ctx context.Context, cfg config.Config, now func() time.Time, log *slog.Logger) (*Server, error) {
	backend, err := OpenStore(ctx, cfg.Store)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &Server{config: cfg, log: log, now: now, store: backend}
	if err := s.assemble(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenStore opens the configured store, and first brings its schema up to date.
func OpenStore(ctx context.Context, settings config.Store) (store.Store, error) {
	if settings.Postgres != nil {
		return postgres.Open(ctx, postgresSettings(*settings.Postgres))
	}
	return sqlite.Open(ctx, settings.SQLite.Path)
}

// ExamineStore opens the configured store to be read, also beside servers.
func ExamineStore(ctx context.Context, settings config.Store) (store.Examined, error) {
	if settings.Postgres != nil {
		return postgres.OpenReadOnly(ctx, postgresSettings(*settings.Postgres))
	}
	return sqlite.OpenReadOnly(ctx, settings.SQLite.Path)
}

func postgresSettings(p config.Postgres) postgres.Settings {
	return postgres.Settings{
		Hosts: p.Hosts, Database: p.Database, User: p.User, PasswordFile: p.PasswordFile,
		CAFile: p.TLS.CAFile, CertificateFile: p.TLS.CertificateFile, KeyFile: p.TLS.KeyFile,
		MaxConnections: p.MaxConnections,
	}
}

// OpenCustodian opens what keeps the keys that sign; nil where the store does.
func OpenCustodian(cfg config.Config) (keys.Custodian, error) {
	p := cfg.Keys.PKCS11
	if p == nil {
		return nil, nil
	}
	return pkcs11.Open(pkcs11.Settings{ModuleFile: p.ModuleFile, TokenLabel: p.TokenLabel, PINFile: p.PINFile, Owner: cfg.Issuer})
}

func (s *Server) assemble(ctx context.Context) error {
	parts, err := s.parts(ctx)
	if err != nil {
		return err
	}
	public, err := listen.Public(s.config.Listeners.Public, s.now, s.log)
	if err != nil {
		return err
	}
	mtls, err := listen.MTLS(s.config.Listeners.MTLS, s.now, s.log)
	if err != nil {
		return err
	}
	private, err := listen.Private(s.config.Listeners.Private, s.now, s.log)
	if err != nil {
		return err
	}
	publicRoutes, err := parts.publicRoutes()
	if err != nil {
		return err
	}
	mtlsRoutes, err := parts.mtlsRoutes()
	if err != nil {
		return err
	}
	return errors.Join(
		s.open("public", s.config.Listeners.Public.Address, public, publicRoutes),
		s.open("mtls", s.config.Listeners.MTLS.Address, mtls, mtlsRoutes),
		s.open("private", s.config.Listeners.Private.Address, private, parts.privateRoutes()),
		s.open("health", s.config.Listeners.Health.Address, nil, parts.healthRoutes()),
	)
}

// open opens a socket; without settings it is plain HTTP.
func (s *Server) open(name, address string, settings *tls.Config, handler http.Handler) error {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("open the %s listener: %w", name, err)
	}
	if settings != nil {
		socket = tls.NewListener(socket, settings)
	}
	s.listeners = append(s.listeners, listener{name: name, socket: socket, handler: handler})
	return nil
}

// Run serves until ctx ends, then lets requests under way finish.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.listeners {
		server := listen.HTTPServer(l.handler, s.log)
		group.Go(func() error { return serve(server, l) })
		group.Go(func() error { return stop(ctx, server) })
		s.log.Info("listening", "listener", l.name, "address", l.socket.Addr().String())
	}
	group.Go(func() error { return s.finishCheck(ctx) })
	group.Go(func() error { return s.expire(ctx) })
	group.Go(func() error { return s.rotate(ctx) })
	return errors.Join(group.Wait(), s.closeKept())
}

// finishCheck ends the server when its store turns out to be damaged.
func (s *Server) finishCheck(ctx context.Context) error {
	checked, err := s.store.FinishCheck(ctx)
	if ctx.Err() != nil {
		return nil // The server is told to stop.
	}
	if checked && err == nil {
		s.log.Info("the database was checked while the server began to serve, and is sound")
	}
	return err
}

func serve(server *http.Server, l listener) error {
	if err := server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the %s listener: %w", l.name, err)
	}
	return nil
}

func stop(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return server.Shutdown(grace)
}

// Close closes a server that is not run.
func (s *Server) Close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.socket.Close())
	}
	return errors.Join(append(errs, s.closeKept())...)
}

// closeKept closes what outlives the process.
func (s *Server) closeKept() error {
	var custodian error
	if s.custodian != nil {
		custodian = s.custodian.Close()
	}
	return errors.Join(custodian, s.store.Close())
}
