package faults

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

const (
	// workers do flows at the same time; our own choice, enough to have something
	// under way at every moment.
	workers = 4
	// changingClients are registered, suspended and deleted all the time.
	changingClients = 4
	// maxAnswers between two kills; our own choice, a few flows.
	maxAnswers = 40
	// standstill is how long the load may be without an answer.
	standstill = 2 * time.Minute
)

// load is everybody who uses the servers.
type load struct {
	ledger        *ledger
	workers       []*worker
	registrations *registrations
	stop          func()
	working       sync.WaitGroup
}

// newLoad registers the clients at a server that runs.
func newLoad(t *testing.T, server *fapitest.Server, service service) *load {
	t.Helper()
	l := &load{ledger: newLedger()}
	for i := range workers {
		profile := fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: i%2 == 0}
		l.workers = append(l.workers, newWorker(t, server, fmt.Sprintf("worker-%d", i), profile, service, l.ledger))
	}
	first := l.workers[0]
	l.registrations = &registrations{worker: first, registrar: server.Registrar}
	for i := range changingClients {
		client := server.Register(t, fmt.Sprintf("changing-%d", i), fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
		client.Now = time.Now
		l.registrations.clients = append(l.registrations.clients, &changing{Registered: client, served: true})
	}
	return l
}

func newWorker(t *testing.T, server *fapitest.Server, id string, profile fapitest.Profile, service service, ledger *ledger) *worker {
	t.Helper()
	client := server.Register(t, id, profile).Client
	client.Now = time.Now
	browser := client.NewBrowser()
	t.Cleanup(browser.Close)
	return &worker{client: client, browser: browser, person: server.Person, service: service, ledger: ledger}
}

// start lets everybody work until stop is called, which waits for them.
func (l *load) start(t *testing.T) {
	ctx, stopping := t.Context(), make(chan struct{})
	for _, worker := range l.workers {
		l.working.Go(func() { worker.work(ctx, stopping) })
	}
	l.working.Go(func() { l.registrations.work(ctx, stopping) })
	l.stop = sync.OnceFunc(func() {
		close(stopping)
		l.working.Wait()
	})
	t.Cleanup(l.stop)
}

// move waits until the load has had some answers more, at random.
func (l *load) move(t *testing.T) {
	t.Helper()
	limit := time.NewTimer(standstill)
	defer limit.Stop()
	for range 1 + rand.IntN(maxAnswers) {
		select {
		case <-l.ledger.answers:
		case <-limit.C:
			t.Fatalf("the load had no answer for %s", standstill)
		}
	}
}

// audit checks everything that was ever acknowledged.
func (l *load) audit(t *testing.T) {
	t.Helper()
	var checking sync.WaitGroup
	for _, worker := range l.workers {
		checking.Go(func() { worker.checkAll(t.Context()) })
	}
	checking.Wait()
	l.registrations.lookAtAll(t.Context())
	for _, loss := range l.ledger.lost {
		t.Errorf("lost: %s", loss)
	}
	for _, double := range l.ledger.doubled {
		t.Errorf("twice: %s", double)
	}
	if l.ledger.flows == 0 || l.ledger.unanswered == 0 {
		t.Errorf("%d flows and %d operations without an answer: the kills met no load", l.ledger.flows, l.ledger.unanswered)
	}
}
