package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/storetest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// message is one message of the protocol, as it passes the proxy
// (https://www.postgresql.org/docs/current/protocol-message-formats.html).
type message struct {
	fromServer bool
	kind       byte
	text       string
	// inTransaction tells whether the server was in a transaction before.
	inTransaction bool
}

// completes tells whether the server says that a command has been done and committed.
func (m message) completes(commands ...string) bool {
	const commandComplete = 'C'
	if m.inTransaction && !strings.HasPrefix(m.text, "COMMIT") {
		return false
	}
	for _, command := range commands {
		if m.fromServer && m.kind == commandComplete && strings.HasPrefix(m.text, command) {
			return true
		}
	}
	return false
}

// executes tells whether the client has a statement run.
func (m message) executes() bool {
	const bind, query = 'B', 'Q'
	return !m.fromServer && (m.kind == bind || m.kind == query)
}

// proxy stands between a store and the database, and cuts a connection at the
// message that cut names: neither that message nor what follows arrives.
type proxy struct {
	target string
	socket net.Listener
	cut    atomic.Pointer[func(message) bool]

	mu          sync.Mutex
	connections []net.Conn
}

// openProxied opens a store whose connections go through a proxy.
func openProxied(t testing.TB, connections int) (*Store, *proxy, *pgcluster.Database) {
	t.Helper()
	database := pgcluster.New(t)
	p := startProxy(t, database.SocketFile())
	settings := settingsOf(database)
	settings.Hosts = []string{filepath.Dir(p.socket.Addr().String()) + ":5432"}
	settings.MaxConnections = connections
	return openWith(t, settings), p, database
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	socket, err := net.Listen("unix", filepath.Join(t.TempDir(), ".s.PGSQL.5432"))
	must(t, err)
	p := &proxy{target: target, socket: socket}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := socket.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = socket.Close()
		p.cutAll()
		serving.Wait()
	})
	return p
}

// cutWhen arms the proxy; nil disarms it.
func (p *proxy) cutWhen(cut func(message) bool) {
	if cut == nil {
		p.cut.Store(nil)
		return
	}
	p.cut.Store(&cut)
}

// cutFirst cuts at the first so many messages that match.
func (p *proxy) cutFirst(times int64, matches func(message) bool) {
	var seen atomic.Int64
	p.cutWhen(func(m message) bool { return matches(m) && seen.Add(1) <= times })
}

// cutAll cuts every connection now.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range p.connections {
		_ = connection.Close()
	}
	p.connections = nil
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("unix", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.connections = append(p.connections, client, server)
	p.mu.Unlock()
	var both sync.WaitGroup
	relay := func(from, to net.Conn, fromServer bool) {
		p.relay(from, to, fromServer)
		_ = client.Close()
		_ = server.Close()
	}
	both.Go(func() { relay(client, server, false) })
	both.Go(func() { relay(server, client, true) })
	both.Wait()
}

// readyForQuery tells whether the server is idle ("I") or in a transaction.
const readyForQuery = 'Z'

// relay hands messages on until one is to be cut.
func (p *proxy) relay(from io.Reader, to io.Writer, fromServer bool) {
	head := make([]byte, 5)
	kindBytes, inTransaction := 1, false
	if !fromServer {
		kindBytes = 0 // The startup message has no kind.
	}
	for {
		if _, err := io.ReadFull(from, head[1-kindBytes:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		m := message{fromServer: fromServer, text: string(body), inTransaction: inTransaction}
		if kindBytes == 1 {
			m.kind = head[0]
		}
		if fromServer && m.kind == readyForQuery {
			inTransaction = m.text != "I"
		}
		if cut := p.cut.Load(); cut != nil && (*cut)(m) {
			return
		}
		if _, err := to.Write(append(head[1-kindBytes:5:5], body...)); err != nil {
			return
		}
		kindBytes = 1
	}
}

// TestContractWithLostAnswers loses every seventh answer, after the database has
// done and committed what it was asked. Nobody may notice.
func TestContractWithLostAnswers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) store.Store {
		s, p, _ := openProxied(t, 8)
		var answers atomic.Int64
		p.cutWhen(func(m message) bool {
			// Not DELETE: how many rows DeleteExpired removed is not known after a lost answer.
			return m.completes("INSERT", "UPDATE", "SELECT", "COMMIT") && answers.Add(1)%7 == 0
		})
		return s
	})
}

// moment is when a connection is cut.
type moment struct {
	name string
	cut  func(message) bool
}

var moments = []moment{
	{"before a statement arrives", message.executes},
	{"after it was committed", func(m message) bool { return m.completes("INSERT", "UPDATE", "DELETE", "COMMIT") }},
	{"at any answer", func(m message) bool { return m.fromServer }},
}

// cutting runs the test for every moment, and one to three cuts.
func cutting(t *testing.T, test func(t *testing.T, s *Store, arm func())) {
	for _, moment := range moments {
		for times := range int64(3) {
			t.Run(fmt.Sprintf("%s, %d times", moment.name, times+1), func(t *testing.T) {
				t.Parallel()
				s, p, _ := openProxied(t, 4)
				registerClient(t, s)
				test(t, s, func() { p.cutFirst(times+1, moment.cut) })
			})
		}
	}
}

func digestOf(name any) oauth.Digest { return oauth.SecretFrom(fmt.Sprint(name)).Digest() }

// completeGrant takes the names' request to its grant and code.
func completeGrant(t testing.TB, s *Store, id string) {
	t.Helper()
	must(t, tryGrant(t.Context(), s, id))
}

// tryGrant ends at the first step that fails.
func tryGrant(ctx context.Context, s *Store, id string) error {
	request := store.AuthorizationRequest{ClientID: "web", State: "af0ifjsldkj"}
	uri, visit := digestOf("uri "+id), digestOf("visit "+id)
	if err := s.PushRequest(ctx, store.PushedRequest{URI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}); err != nil {
		return err
	}
	if err := s.BeginInteraction(ctx, store.Interaction{ID: visit, RequestURI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}, nil); err != nil {
		return err
	}
	if err := s.AuthenticateInteraction(ctx, visit, store.Authentication{Subject: "alice"}, now); err != nil {
		return err
	}
	return s.CompleteAuthorization(ctx, visit,
		store.Grant{ID: id, Request: request, CreatedAt: now, ExpiresAt: now.Add(time.Hour)},
		store.Code{Digest: digestOf("code " + id), GrantID: id, ClientID: "web", ExpiresAt: now.Add(time.Minute)}, now)
}

func refreshOf(id string) *store.RefreshToken {
	return &store.RefreshToken{Digest: digestOf("refresh " + id), GrantID: id, ClientID: "web", ExpiresAt: now.Add(time.Hour)}
}

// TestRedemptionsOverCutConnections: the redemption succeeds once, its grant stays,
// and only a real replay revokes it.
func TestRedemptionsOverCutConnections(t *testing.T) {
	t.Parallel()
	cutting(t, func(t *testing.T, s *Store, arm func()) {
		completeGrant(t, s, "grant")
		arm()
		must(t, s.RedeemCode(t.Context(), digestOf("code grant"), refreshOf("grant"), now))
		if _, _, err := s.RefreshToken(t.Context(), digestOf("refresh grant"), now); err != nil {
			t.Fatalf("the redemption's own refresh token: %v", err)
		}
		arm()
		if err := s.RedeemCode(t.Context(), digestOf("code grant"), nil, now); !errors.Is(err, store.ErrAlreadyUsed) {
			t.Fatalf("a replay gave %v", err)
		}
		if _, err := s.Grant(t.Context(), "grant"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("after the replay the grant gave %v", err)
		}
	})
}

// TestSingleUseOverCutConnections: a first use is no replay, a replay no first use.
func TestSingleUseOverCutConnections(t *testing.T) {
	t.Parallel()
	cutting(t, func(t *testing.T, s *Store, arm func()) {
		for _, want := range []bool{true, false, false} {
			arm()
			fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("jti"), now)
			if err != nil || fresh != want {
				t.Errorf("fresh is %t (%v), want %t", fresh, err, want)
			}
		}
	})
}

// TestAuthorizationsOverCutConnections: every step of an authorization, and the
// consumed request is refused afterwards.
func TestAuthorizationsOverCutConnections(t *testing.T) {
	t.Parallel()
	cutting(t, func(t *testing.T, s *Store, arm func()) {
		arm()
		completeGrant(t, s, "granted")
		request := store.AuthorizationRequest{ClientID: "web"}
		uri, visit := digestOf("uri"), digestOf("visit")
		arm()
		must(t, s.PushRequest(t.Context(), store.PushedRequest{URI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}))
		arm()
		must(t, s.BeginInteraction(t.Context(), store.Interaction{ID: visit, RequestURI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}, nil))
		arm()
		must(t, s.RefuseAuthorization(t.Context(), visit, now))
		for _, id := range []string{"visit", "visit granted"} {
			arm()
			if err := s.RefuseAuthorization(t.Context(), digestOf(id), now); !errors.Is(err, store.ErrAlreadyUsed) {
				t.Errorf("refusing %s again gave %v", id, err)
			}
		}
		arm()
		must(t, s.RevokeGrant(t.Context(), "granted", now))
		if _, err := s.Grant(t.Context(), "granted"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the revoked grant gave %v", err)
		}
	})
}

// TestClientsOverCutConnections: a write takes one revision, a deletion succeeds.
func TestClientsOverCutConnections(t *testing.T) {
	t.Parallel()
	cutting(t, func(t *testing.T, s *Store, arm func()) {
		owner := registration.Owner{Name: "app"}
		arm()
		record, created, err := s.PutClient(t.Context(), store.ClientWrite{
			Owner: owner, Generation: 1, Now: now, MustNotExist: true, Metadata: registration.Metadata{ClientID: "app"},
		})
		if err != nil || !created || record.Revision != 2 {
			t.Fatalf("revision %d, created %t (%v); want 2, true", record.Revision, created, err)
		}
		arm()
		must(t, s.DeleteClient(t.Context(), "app", owner, now))
		if revision, err := s.ClientRevision(t.Context()); err != nil || revision != 3 {
			t.Errorf("revision %d (%v), want 3", revision, err)
		}
	})
}

// TestATryThatStillRuns: the connection ends while the statement waits for a row.
// The next try waits for the end of the first one, and then knows its work.
func TestATryThatStillRuns(t *testing.T) {
	t.Parallel()
	s, p, database := openProxied(t, 4)
	direct := openWith(t, settingsOf(database))
	registerClient(t, s)
	completeGrant(t, s, "grant")
	holder, err := direct.pool.Begin(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = holder.Rollback(context.Background()) }) // It was committed, unless the test failed.
	_, err = holder.Exec(t.Context(), `SELECT 1 FROM codes FOR UPDATE`)
	must(t, err)

	redeemed := make(chan error, 1)
	go func() {
		redeemed <- s.RedeemCode(context.WithoutCancel(t.Context()), digestOf("code grant"), refreshOf("grant"), now)
	}()
	awaitWaiting(t, direct, 1)
	p.cutAll()
	awaitWaiting(t, direct, 2)
	must(t, holder.Commit(t.Context()))
	must(t, <-redeemed)
	if _, _, err := s.RefreshToken(t.Context(), digestOf("refresh grant"), now); err != nil {
		t.Errorf("the redemption's own refresh token: %v", err)
	}
}

// awaitWaiting waits until so many statements wait for a lock.
func awaitWaiting(t *testing.T, s *Store, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		var waiting int
		must(t, s.pool.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
		if waiting >= want {
			return
		}
		<-poll.C
	}
}

// TestADatabaseThatStaysAway: the error comes in bounded time, and the store works
// again once the database does.
func TestADatabaseThatStaysAway(t *testing.T) {
	t.Parallel()
	s, p, _ := openProxied(t, 4)
	p.cutWhen(func(message) bool { return true })
	p.cutAll()
	started := time.Now()
	_, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("jti"), now)
	if err == nil || errors.Is(err, store.ErrNotFound) {
		t.Fatalf("without a database UseOnce gave %v", err)
	}
	if took := time.Since(started); took > waitTime+tryTime {
		t.Errorf("the error came after %s", took)
	}
	p.cutWhen(nil)
	if fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("jti"), now); err != nil || !fresh {
		t.Errorf("fresh is %t (%v) once the database is back", fresh, err)
	}
}

// TestACallerThatHangsUp costs no connection and leaves no doubt: what had begun
// is done.
func TestACallerThatHangsUp(t *testing.T) {
	t.Parallel()
	s, p, _ := openProxied(t, 1)
	_, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("connects"), now)
	must(t, err)
	gone, leave := context.WithCancel(t.Context())
	p.cutWhen(func(m message) bool {
		if m.executes() {
			leave()
		}
		return false
	})
	if fresh, err := s.UseOnce(gone, store.SpaceDPoPProof, digestOf("jti"), now); err != nil || !fresh {
		t.Errorf("fresh is %t (%v)", fresh, err)
	}
	if made := s.pool.Stat().NewConnsCount(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
	if _, err := s.UseOnce(gone, store.SpaceDPoPProof, digestOf("other"), now); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that had gone before got %v", err)
	}
}
