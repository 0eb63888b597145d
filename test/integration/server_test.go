package integration

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/register"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

const (
	issuer      = "https://auth.example.com"
	operatorSAN = "urn:example:operator"
)

// server is the authorization server's private listener over mutual TLS, with a
// real store behind it and a place for faults in front of it.
type server struct {
	store     *sqlite.Store
	faults    *faults
	audit     *fapitest.Log
	operators atomic.Pointer[listen.Operators]
	registrar registrar.Config

	address  string
	listener config.PrivateListener
	running  *http.Server
}

func startServer(t *testing.T, limits fapi.Limits) *server {
	t.Helper()
	opened, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	audit := &fapitest.Log{}
	s := &server{store: opened, address: "127.0.0.1:0", audit: audit}
	s.operators.Store(new(listen.OperatorsOf(config.PrivateListener{AllowedClientSANs: []string{operatorSAN}})))
	s.faults = &faults{next: &register.Handler{
		Count:   func(*http.Request, error) {},
		Store:   opened,
		Callers: func(caller *x509.Certificate) bool { return s.operators.Load().In(caller) },
		Installations: func(caller *x509.Certificate) registration.Installations {
			return s.operators.Load().Installations(caller)
		},
		Limits: limits,
		Issuer: issuer,
		Now:    time.Now,
		Log:    slog.New(slog.NewJSONHandler(audit, nil)),
	}}
	s.issueCertificates(t)
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *server) issueCertificates(t *testing.T) {
	t.Helper()
	authority := testca.New(t, "private CA", time.Now())
	authorityFile := testca.WriteFile(t, t.TempDir(), "ca.crt", authority.PEM())
	s.listener.TLS.CertificateFile, s.listener.TLS.KeyFile = authority.Server(t).Write(t, t.TempDir())
	s.listener.ClientCAFile = authorityFile
	s.listener.AllowedClientSANs = []string{operatorSAN}
	s.registrar.CAFile = authorityFile
	s.registrar.CertificateFile, s.registrar.KeyFile = authority.Issue(t, testca.Leaf{URIs: []string{operatorSAN}}).Write(t, t.TempDir())
}

// bind has the operator act for the installations alone, as of now.
func (s *server) bind(installations ...string) {
	s.operators.Store(new(listen.OperatorsOf(config.PrivateListener{BoundClientSANs: map[string][]string{operatorSAN: installations}})))
}

// start listens; after stop, at the same address again.
func (s *server) start(t *testing.T) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	settings, err := listen.Private(s.listener, time.Now, log)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := listen.Open(s.address, settings)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	_, port, _ := net.SplitHostPort(s.address)
	s.registrar.BaseURL = "https://localhost:" + port
	s.running = listen.HTTPServer(s.faults, log)
	go func(running *http.Server) { _ = running.Serve(listener) }(s.running)
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.running.Close(); err != nil {
		t.Errorf("stop the server: %v", err)
	}
}

// client is what the store holds, as its owner stated it.
func (s *server) client(t *testing.T, clientID string) (store.ClientRecord, error) {
	t.Helper()
	return s.store.Client(t.Context(), clientID)
}

func (s *server) revision(t *testing.T) int64 {
	t.Helper()
	revision, err := s.store.ClientRevision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// fault is something that goes wrong between the operator and the server.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// faults stands in front of the real handler, and lets requests pass unless told otherwise.
type faults struct {
	next http.Handler

	mutex    sync.Mutex
	current  fault
	requests []string // as "METHOD /path", in the order in which they came
}

func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mutex.Lock()
	current := f.current
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.mutex.Unlock()
	if current == nil {
		f.next.ServeHTTP(w, r)
		return
	}
	current(w, r, f.next)
}

func (f *faults) set(current fault) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.current = current
}

// count is how many requests there were that begin so.
func (f *faults) count(start string) int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	count := 0
	for _, request := range f.requests {
		if strings.HasPrefix(request, start) {
			count++
		}
	}
	return count
}

// Requests of the registration API.
const (
	listClients    = "GET /clients"
	readClient     = "GET /clients/"
	deleteClient   = "DELETE /clients/"
	registerClient = "PUT /clients/"
)

// lists counts the pages of the listing that were asked for.
func (f *faults) lists() int { return f.count(listClients) - f.count(readClient) }

// answer is a status without the registration API's own body, as a proxy gives it.
func answer(status int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, http.StatusText(status))
	}
}

// cut ends the connection before anything is done.
func cut(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// hang gives no answer for as long as the caller waits.
func hang(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

// onWrites is a fault that reads do not meet.
func onWrites(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, next)
	}
}

// onClients is a fault that the listing does not meet.
func onClients(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/clients" {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, next)
	}
}

// everyOther is a fault that every second request meets, the first among them.
func everyOther(f fault) fault {
	var requests atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if requests.Add(1)%2 == 0 {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, next)
	}
}

// cutAfterwards does what is asked and loses the answer.
func cutAfterwards(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(discarded{}, r)
	panic(http.ErrAbortHandler)
}

// discarded is an answer that nobody gets.
type discarded struct{}

func (discarded) Header() http.Header         { return http.Header{} }
func (discarded) Write(b []byte) (int, error) { return len(b), nil }
func (discarded) WriteHeader(int)             {}

// ownerOf is how the operator of these tests names an application to the server.
func ownerOf(namespace, name string) registration.Owner {
	return registration.Owner{Installation: installation, Namespace: namespace, Name: name}
}
