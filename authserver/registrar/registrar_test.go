package registrar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/register"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

// operator is not bound to an installation; retailOperator is.
const (
	operator       = "operator.fapi-system.svc"
	retailOperator = "operator.retail.example"
)

var listener = config.PrivateListener{AllowedClientSANs: []string{operator}, BoundClientSANs: map[string][]string{retailOperator: {"retail"}}}

func operators() listen.Operators { return listen.OperatorsOf(listener) }

var (
	owner   = registration.Owner{Installation: "prod", Namespace: "team-a", Name: "payments"}
	another = registration.Owner{Installation: "prod", Namespace: "team-b", Name: "payments"}
)

// installation is a private listener and what a caller needs to reach it.
type installation struct {
	authority *testca.Authority
	config    Config
	directory string
	address   string // where the listener is
}

// serve runs handler behind the real private listener, over real mutual TLS.
func serve(t *testing.T, handler http.Handler) installation {
	t.Helper()
	authority := testca.New(t, "CA", time.Now())
	return serveWith(t, authority, authority.Server(t), handler)
}

// serveAs is serve for a listener whose certificate has this name alone.
func serveAs(t *testing.T, authority *testca.Authority, name string, handler http.Handler) installation {
	t.Helper()
	return serveWith(t, authority, authority.Issue(t, testca.Leaf{DNS: []string{name}}), handler)
}

func serveWith(t *testing.T, authority *testca.Authority, certificate testca.Pair, handler http.Handler) installation {
	t.Helper()
	directory := t.TempDir()
	caFile := testca.WriteFile(t, directory, "ca.crt", authority.PEM())
	serverCertificate, serverKey := certificate.Write(t, t.TempDir())
	settings, err := listen.Private(config.PrivateListener{
		TLS:               config.TLS{CertificateFile: serverCertificate, KeyFile: serverKey},
		ClientCAFile:      caFile,
		AllowedClientSANs: listener.AllowedClientSANs,
		BoundClientSANs:   listener.BoundClientSANs,
	}, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := listen.Open("127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	server := listen.HTTPServer(handler, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(opened) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	certificateFile, keyFile := authority.Issue(t, testca.Leaf{DNS: []string{operator}}).Write(t, directory)
	return installation{authority, Config{
		BaseURL:         "https://" + opened.Addr().String(),
		CertificateFile: certificateFile,
		KeyFile:         keyFile,
		CAFile:          caFile,
	}, directory, opened.Addr().String()}
}

// as is the installation to which another caller comes.
func (i installation) as(t *testing.T, caller string) installation {
	t.Helper()
	i.config.CertificateFile, i.config.KeyFile = i.authority.Issue(t, testca.Leaf{DNS: []string{caller}}).Write(t, t.TempDir())
	return i
}

func (i installation) registrar(t *testing.T) *Registrar {
	t.Helper()
	registrar, err := New(i.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registrar.client.CloseIdleConnections)
	return registrar
}

// realServer is the real handler over the real store.
func realServer(t *testing.T) (*register.Handler, *sqlite.Store) {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "authserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return &register.Handler{
		Count:   func(*http.Request, error) {},
		Store:   kept,
		Callers: operators().In, Installations: operators().Installations,
		Limits: fapi.Limits{TrustBundles: []string{"partners"}},
		Issuer: "https://auth.bank.example",
		Now:    time.Now,
		Log:    slog.New(slog.DiscardHandler),
	}, kept
}

func request(owner registration.Owner, generation int64, scope string) registration.Request {
	return registration.Request{Owner: owner, Generation: generation, Metadata: registration.Metadata{
		GrantTypes:               []string{"client_credentials"},
		TokenEndpointAuthMethod:  "tls_client_auth",
		TLSClientAuthSANURI:      "spiffe://cluster.local/ns/team-a/sa/payments",
		TLSClientAuthTrustBundle: "partners",
		Scope:                    scope,
	}}
}

const clientID = "team-a.payments"

func TestAClientLivesAndDies(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	registrar := serve(t, handler).registrar(t)

	if _, err := registrar.Client(t.Context(), clientID); !errors.Is(err, registration.ErrNotFound) {
		t.Errorf("before: %v, want ErrNotFound", err)
	}
	created, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments"))
	if err != nil {
		t.Fatal(err)
	}
	if created.ClientID != clientID || created.Owner != owner || *created.Metadata.AccessTokenLifetime != registration.DefaultAccessTokenLifetime {
		t.Errorf("created %+v", created)
	}
	again, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments"))
	if difference := cmp.Diff(created, again); err != nil || difference != "" {
		t.Errorf("registered again: %v (-first +second):\n%s", err, difference)
	}
	changed, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 2, "accounts"))
	if err != nil || changed.Revision <= created.Revision || changed.Metadata.Scope != "accounts" {
		t.Errorf("changed: %+v, %v", changed, err)
	}
	read, err := registrar.Client(t.Context(), clientID)
	if difference := cmp.Diff(changed, read); err != nil || difference != "" {
		t.Errorf("read: %v (-changed +read):\n%s", err, difference)
	}
	if err := registrar.Delete(t.Context(), clientID, owner); err != nil {
		t.Error(err)
	}
	if err := registrar.Delete(t.Context(), clientID, owner); !errors.Is(err, registration.ErrNotFound) {
		t.Errorf("deleted again: %v, want ErrNotFound", err)
	}
}

func TestARejectionNamesEveryRule(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	registrar := serve(t, handler).registrar(t)
	wrong := request(owner, 1, "payments")
	wrong.Metadata.TokenEndpointAuthMethod = "client_secret_basic"
	wrong.Metadata.GrantTypes = []string{"password"}
	_, err := registrar.Register(t.Context(), clientID, registration.NoRevision, wrong)
	rejected, ok := errors.AsType[*registration.RejectedError](err)
	if !ok {
		t.Fatalf("got %v, want a RejectedError", err)
	}
	asked := wrong.Metadata
	asked.ClientID = clientID
	_, want := fapi.AdmitClient(asked, handler.Limits)
	if difference := cmp.Diff(want, rejected.Violations); difference != "" || len(want) < 2 {
		t.Errorf("violations (-rule book +registrar):\n%s", difference)
	}
}

func TestAClientOfAnotherOwnerIsNotTouched(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	registrar := serve(t, handler).registrar(t)
	if _, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments")); err != nil {
		t.Fatal(err)
	}
	_, registered := registrar.Register(t.Context(), clientID, registration.NoRevision, request(another, 1, "payments"))
	deleted := registrar.Delete(t.Context(), clientID, another)
	for name, err := range map[string]error{"register": registered, "delete": deleted} {
		if owned, ok := errors.AsType[*registration.OwnedByAnotherError](err); !ok || owned.Owner != owner {
			t.Errorf("%s: %v, want the owner %s", name, err, owner)
		}
	}
}

// Two operators share a server over mutual TLS, and one of them is bound to its
// installation: each error tells what is to be done.
func TestABoundOperatorKeepsToItsInstallation(t *testing.T) {
	t.Parallel()
	handler, kept := realServer(t)
	shared := serve(t, handler)
	free, bound := shared.registrar(t), shared.as(t, retailOperator).registrar(t)
	retail := registration.Owner{Installation: "retail", Namespace: "team-a", Name: "payments"}
	adopting := request(retail, 1, "payments")
	adopting.PreviousOwner = &owner

	if _, err := free.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments")); err != nil {
		t.Fatal(err)
	}
	_, read := bound.Client(t.Context(), clientID)
	_, registered := bound.Register(t.Context(), clientID, registration.NoRevision, request(retail, 1, "payments"))
	for name, err := range map[string]error{"read": read, "register": registered, "delete": bound.Delete(t.Context(), clientID, retail)} {
		if !errors.Is(err, registration.ErrOwnedByOtherInstallation) {
			t.Errorf("%s another's client: %v, want ErrOwnedByOtherInstallation", name, err)
		}
	}
	_, posing := bound.Register(t.Context(), clientID, registration.NoRevision, request(owner, 2, "accounts"))
	_, adopted := bound.Register(t.Context(), clientID, registration.NoRevision, adopting)
	for name, err := range map[string]error{"register in another's name": posing, "adopt": adopted, "delete in another's name": bound.Delete(t.Context(), clientID, owner)} {
		if !errors.Is(err, registration.ErrInstallationNotAllowed) {
			t.Errorf("%s: %v, want ErrInstallationNotAllowed", name, err)
		}
	}
	if page, err := bound.List(t.Context(), "", 5); err != nil || len(page.Clients) != 0 {
		t.Errorf("listed: %+v, %v", page, err)
	}
	if found, err := kept.Client(t.Context(), clientID); err != nil || found.Owner != owner || found.Generation != 1 {
		t.Errorf("the other's client is %+v, %v", found, err)
	}
	if _, err := bound.Register(t.Context(), "team-a.own", registration.NoRevision, request(retail, 1, "payments")); err != nil {
		t.Errorf("its own client: %v", err)
	}
	if page, err := bound.List(t.Context(), "", 5); err != nil || len(page.Clients) != 1 || page.Clients[0].Owner != retail {
		t.Errorf("listed: %+v, %v", page, err)
	}
	if err := bound.Delete(t.Context(), "team-a.own", retail); err != nil {
		t.Errorf("its own client: %v", err)
	}
}

// What the caller takes the server to hold saves a request where it is so, and does
// no harm where it is not.
func TestARegistrationCostsOneRequestUnlessTheServerHoldsSomethingElse(t *testing.T) {
	t.Parallel()
	const put, get = http.MethodPut, http.MethodGet
	const elsewhere = 1000 // A revision that no client here has.
	handler, kept := realServer(t)
	var requests []string
	registrar := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method)
		handler.ServeHTTP(w, r)
	})).registrar(t)
	for name, test := range map[string]struct {
		isThere bool
		// held is what the client's revision is taken for, by what it is.
		held func(revision int64) int64
		want []string
	}{
		"new, and known to be":       {false, func(int64) int64 { return registration.NoRevision }, []string{put}},
		"there, and known to be":     {true, func(revision int64) int64 { return revision }, []string{put}},
		"there, and taken for new":   {true, func(int64) int64 { return registration.NoRevision }, []string{put, get, put}},
		"there, as another revision": {true, func(int64) int64 { return elsewhere }, []string{put, get, put}},
		"gone, and taken for there":  {false, func(int64) int64 { return elsewhere }, []string{put, get, put}},
	} {
		id, before := "team-a."+strings.NewReplacer(" ", "-", ",", "").Replace(name), store.ClientRecord{}
		if test.isThere {
			before = putDirectly(t, kept, id, request(owner, 1, "payments"))
		}
		requests = nil
		if _, err := registrar.Register(t.Context(), id, test.held(before.Revision), request(owner, 2, "accounts")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(requests, test.want) {
			t.Errorf("%s: it took %v, want %v", name, requests, test.want)
		}
		if found, err := kept.Client(t.Context(), id); err != nil || found.Generation != 2 || found.Metadata.Scope != "accounts" {
			t.Errorf("%s: the server holds %+v, %v", name, found, err)
		}
	}
}

// The answer to a registration was lost, so that the caller takes the client for
// absent still.
func TestARegistrationThatIsRepeatedChangesNothing(t *testing.T) {
	t.Parallel()
	handler, kept := realServer(t)
	registrar := serve(t, handler).registrar(t)
	before := putDirectly(t, kept, clientID, request(owner, 1, "payments"))
	again, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments"))
	if err != nil || again.Revision != before.Revision {
		t.Errorf("registered again: revision %d, %v; want %d", again.Revision, err, before.Revision)
	}
}

// A client is left to its owner, and taken over from whom it is said to be, whatever
// it is taken for.
func TestWhoseAClientIsDoesNotDependOnWhatItIsTakenFor(t *testing.T) {
	t.Parallel()
	handler, kept := realServer(t)
	registrar := serve(t, handler).registrar(t)
	before := putDirectly(t, kept, clientID, request(owner, 1, "payments"))
	for _, held := range []int64{registration.NoRevision, before.Revision, before.Revision + 1} {
		_, err := registrar.Register(t.Context(), clientID, held, request(another, 1, "payments"))
		if owned, ok := errors.AsType[*registration.OwnedByAnotherError](err); !ok || owned.Owner != owner {
			t.Errorf("taken for revision %d: %v, want the owner %s", held, err, owner)
		}
	}
	adopting := request(another, 1, "payments")
	adopting.PreviousOwner = &owner
	if adopted, err := registrar.Register(t.Context(), clientID, registration.NoRevision, adopting); err != nil || adopted.Owner != another {
		t.Errorf("taken over: %+v, %v", adopted, err)
	}
}

// A server that restarts, or has waited for long, closes connections that the caller
// takes for open.
func TestARequestOnAConnectionThatIsGivenUpIsMadeAnew(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	var given sync.Map // connections that have had an answer, by the caller's address
	registrar := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := given.LoadOrStore(r.RemoteAddr, true); !known {
			handler.ServeHTTP(w, r)
			return
		}
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	})).registrar(t)
	for attempt := range 3 {
		if _, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments")); err != nil {
			t.Errorf("attempt %d: %v", attempt, err)
		}
	}
	if err := registrar.Delete(t.Context(), clientID, owner); err != nil {
		t.Errorf("deleted: %v", err)
	}
}

// putDirectly writes to the store, past the registrar.
func putDirectly(t *testing.T, kept *sqlite.Store, clientID string, request registration.Request) store.ClientRecord {
	t.Helper()
	request.Metadata.ClientID = clientID
	record, _, err := kept.PutClient(t.Context(), store.ClientWrite{Owner: request.Owner, Generation: request.Generation, Metadata: request.Metadata, Now: time.Now()})
	if err != nil {
		t.Error(err)
	}
	return record
}

// Somebody writes between the registrar's reading and its writing.
func TestAConcurrentChangeIsNotOverwritten(t *testing.T) {
	t.Parallel()
	handler, kept := realServer(t)
	writes := int64(0)
	registrar := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			writes++
			putDirectly(t, kept, clientID, request(owner, 4+writes, "accounts"))
		}
		handler.ServeHTTP(w, r)
	})).registrar(t)
	if _, err := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 4, "payments")); !errors.Is(err, registration.ErrPreconditionFailed) {
		t.Errorf("got %v, want ErrPreconditionFailed", err)
	}
	if found, err := registrar.Client(t.Context(), clientID); err != nil || found.Generation != 4+writes {
		t.Errorf("the other's change is lost: %+v, %v", found, err)
	}
}

func TestTheListingReachesTheLastPage(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	registrar := serve(t, handler).registrar(t)
	var want []string
	for i := range 23 {
		id := fmt.Sprintf("team-a.client-%02d", i)
		want = append(want, id)
		if _, err := registrar.Register(t.Context(), id, registration.NoRevision, request(owner, 1, "payments")); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := registrar.List(t.Context(), cursor, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, client := range page.Clients {
			got = append(got, client.ClientID)
		}
		cursor = page.NextCursor
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("clients (-want +got):\n%s", difference)
	}
	if _, err := registrar.List(t.Context(), "", 0); err == nil {
		t.Error("a page without clients was served")
	}
}

// Whatever else answers in the server's place proves nothing: each of these is
// an error that is tried again, neither absence nor a refusal.
func TestOnlyTheAPIsOwnAnswersCount(t *testing.T) {
	t.Parallel()
	inJSON := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	foreign, err := json.Marshal(registration.Record{Summary: registration.Summary{ClientID: "team-b.x", Revision: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.Handler{
		"404 of a proxy":           http.NotFoundHandler(),
		"404 in JSON":              inJSON(404, `{"message":"no route"}`),
		"404 of an unknown path":   inJSON(404, `{"error":"unknown_endpoint"}`),
		"404 about another client": inJSON(404, `{"error":"client_not_found","client_id":"team-b.x"}`),
		"absence without 404":      inJSON(503, `{"error":"client_not_found","client_id":"`+clientID+`"}`),
		"400":                      inJSON(400, `{"error":"invalid_request"}`),
		"401":                      inJSON(401, `{"error":"invalid_client"}`),
		"403":                      inJSON(403, `{"error":"access_denied"}`),
		"409 without owner":        inJSON(409, `{"error":"owned_by_another"}`),
		"412 of a proxy":           inJSON(412, `{}`),
		"422 without rules":        inJSON(422, `{"error":"invalid_client_metadata","violations":[]}`),
		"422 of a proxy":           inJSON(422, `{"violations":[{"rule":"x"}]}`),
		"500":                      inJSON(500, `{"error":"server_error"}`),
		"503 page":                 http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusServiceUnavailable) }),
		"redirect":                 http.RedirectHandler("https://elsewhere.example/", http.StatusTemporaryRedirect),
		"a page":                   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }),
		"not JSON":                 inJSON(200, `{"client_id":`),
		"empty object":             inJSON(200, `{}`),
		"another client's record":  inJSON(200, string(foreign)),
		"204 for a record":         http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }),
		"too large":                inJSON(200, `{"x":"`+strings.Repeat("x", maxAnswerBytes)+`"}`),
		"hang-up":                  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"ends early": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registrar := serve(t, answer).registrar(t)
			_, registered := registrar.Register(t.Context(), clientID, registration.NoRevision, request(owner, 1, "payments"))
			_, read := registrar.Client(t.Context(), clientID)
			_, listed := registrar.List(t.Context(), "", 10)
			errs := map[string]error{"register": registered, "read": read, "list": listed}
			if name != "204 for a record" {
				errs["delete"] = registrar.Delete(t.Context(), clientID, owner)
			}
			if name == "another client's record" {
				delete(errs, "list")
			}
			for call, err := range errs {
				mustMayPass(t, call, err)
			}
		})
	}
}

func mustMayPass(t *testing.T, call string, err error) {
	t.Helper()
	_, rejected := errors.AsType[*registration.RejectedError](err)
	_, owned := errors.AsType[*registration.OwnedByAnotherError](err)
	if err == nil || rejected || owned || errors.Is(err, registration.ErrNotFound) || errors.Is(err, registration.ErrPreconditionFailed) {
		t.Errorf("%s: got %v, want an error that may pass", call, err)
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	registrar := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})).registrar(t)
	_, err := registrar.Client(ctx, clientID)
	mustMayPass(t, "read", err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if registrar.client.Timeout != requestTimeout {
		t.Error("a caller without a deadline would wait for ever")
	}
}

func TestAServerThatIsDownProvesNothing(t *testing.T) {
	t.Parallel()
	reachable := serve(t, http.NotFoundHandler())
	down := reachable.config
	down.BaseURL = "https://127.0.0.1:1"
	registrar, err := New(down)
	if err != nil {
		t.Fatal(err)
	}
	mustMayPass(t, "delete", registrar.Delete(t.Context(), clientID, owner))
}

func TestBothSidesMustProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	reachable := serve(t, handler)
	strangeCA := reachable.config
	strangeCA.CAFile = testca.WriteFile(t, t.TempDir(), "ca.crt", testca.New(t, "CA", time.Now()).PEM())
	tenant := reachable.config
	tenant.CertificateFile, tenant.KeyFile = reachable.authority.Issue(t, testca.Leaf{DNS: []string{"tenant.svc"}}).Write(t, t.TempDir())
	for name, config := range map[string]Config{"server of a strange CA": strangeCA, "caller that is not listed": tenant} {
		registrar, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = registrar.Client(t.Context(), clientID)
		mustMayPass(t, name, err)
	}
}

func TestRenewedFilesAreUsedWithoutARestart(t *testing.T) {
	t.Parallel()
	handler, _ := realServer(t)
	reachable := serve(t, handler)
	registrar := reachable.registrar(t)
	reads := func() error {
		registrar.client.CloseIdleConnections()
		_, err := registrar.Client(t.Context(), clientID)
		return err
	}
	if err := reads(); !errors.Is(err, registration.ErrNotFound) {
		t.Fatal(err)
	}
	reachable.authority.Issue(t, testca.Leaf{DNS: []string{"tenant.svc"}}).Write(t, reachable.directory)
	mustMayPass(t, "with a certificate that is not listed", reads())
	testca.WriteFile(t, reachable.directory, "tls.key", []byte("half written"))
	mustMayPass(t, "with a broken file", reads())
	reachable.authority.Issue(t, testca.Leaf{DNS: []string{operator}}).Write(t, reachable.directory)
	if err := reads(); !errors.Is(err, registration.ErrNotFound) {
		t.Errorf("with the renewed certificate: %v", err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := serve(t, http.NotFoundHandler()).config
	garbage := testca.WriteFile(t, t.TempDir(), "garbage", []byte("garbage"))
	for name, change := range map[string]func(*Config){
		"plain http":     func(c *Config) { c.BaseURL = "http://127.0.0.1:1" },
		"no host":        func(c *Config) { c.BaseURL = "https://" },
		"with a path":    func(c *Config) { c.BaseURL += "/api" },
		"with a query":   func(c *Config) { c.BaseURL += "?a=b" },
		"no certificate": func(c *Config) { c.CertificateFile = "/nowhere" },
		"garbage key":    func(c *Config) { c.KeyFile = garbage },
		"no CA":          func(c *Config) { c.CAFile = "/nowhere" },
		"garbage CA":     func(c *Config) { c.CAFile = garbage },
	} {
		config := good
		change(&config)
		if _, err := New(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good.BaseURL += "/"
	if _, err := New(good); err != nil {
		t.Errorf("a trailing slash: %v", err)
	}
}
