package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Soaked is a store under a load that goes on for hours.
type Soaked struct {
	// Replicas are the server processes' stores, all of one database.
	Replicas []store.Store
	// Rows counts the rows of each table whose rows expire.
	Rows func(t testing.TB) map[string]int
	// Tidy does what the database does by itself every few minutes, which here pass in no time.
	Tidy func(t testing.TB)
	// Bytes is what the database takes on the disk.
	Bytes func(t testing.TB) int64
}

// The load of one minute, and how long what it leaves behind lives. Grants and
// sessions live for days in earnest; here they come and go within the soak.
const (
	soakFlows     = 4 // persons who authorize a client
	soakAbandoned = 2 // who get no further than the login page
	soakSession   = 45 * time.Minute
	soakGrant     = time.Hour
	soakToken     = 30 * time.Minute
)

// Expired rows are deleted as the server does it: every minute, in batches, and a
// minute after they expired.
const (
	soakInterval = time.Minute
	soakBatch    = 500 // rows of each class
	soakDelay    = time.Minute
	soakTidy     = 5 * time.Minute
)

// soakWarm is when every class has been dying for an hour; then each hour is like the one before.
const (
	soakWarm = soakGrant + time.Hour
	soakEnd  = soakWarm + 3*time.Hour
)

// soakGrowth is how much more of the disk the database may take after the warm-up:
// it is small, keys are random, and pages are never filled alike. Our own choice;
// deletion that missed one class would be far beyond it.
const soakGrowth = 1.1

// soakRows are how many rows a table may have at most: what its rows' lifetime
// brings, and what waits for the deletion.
func soakRows() map[string]int {
	bound := func(perMinute int, lifetime time.Duration) int {
		return perMinute * int((lifetime+soakDelay+2*soakInterval)/time.Minute+1)
	}
	return map[string]int{
		"pushed_requests":       bound(soakFlows+soakAbandoned, fapi.InteractionLifetime),
		"interactions":          bound(soakFlows+soakAbandoned, fapi.InteractionLifetime),
		"sessions":              bound(soakFlows, soakSession),
		"grants":                bound(soakFlows, soakGrant),
		"codes":                 bound(soakFlows, fapi.CodeLifetime),
		"refresh_tokens":        bound(soakFlows, soakGrant),
		"revoked_access_tokens": bound(soakFlows, soakToken),
		"single_use":            bound(2*soakFlows, fapi.MaxAssertionLifetime),
	}
}

// Soak runs hours of a steady load of every class of record, with the replicas
// deleting at once what has expired, in the middle of the load. The size stays
// flat, and nothing is left in the end.
func Soak(t *testing.T, open func(t testing.TB) Soaked) {
	s := &soak{T: t, Soaked: open(t), now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	_, _, err := s.Replicas[0].PutClient(t.Context(), store.ClientWrite{
		Owner: owner, Generation: 1, Now: s.now, Metadata: (&contract{}).write("bank.web", 1).Metadata,
	})
	s.succeeds(err)
	var warm int64
	for minute := soakInterval; minute <= soakEnd; minute += soakInterval {
		s.minute()
		if minute%soakTidy == 0 {
			s.Tidy(t)
		}
		if minute%time.Hour != 0 {
			continue
		}
		rows, bytes := s.Rows(t), s.Bytes(t)
		t.Logf("after %2.0f h: %6.0f KiB, %v", minute.Hours(), float64(bytes)/1024, rows)
		s.bounded(rows)
		if minute == soakWarm {
			warm = bytes
		}
		if minute > soakWarm && float64(bytes) > soakGrowth*float64(warm) {
			t.Errorf("the database has grown from %d bytes to %d", warm, bytes)
		}
	}
	t.Logf("%d operations; the slowest request took %s, the slowest batch %s", s.operations, s.slowest, s.slowestBatch)
	s.everythingEnds()
}

// soak is a run of it.
type soak struct {
	*testing.T
	Soaked
	now time.Time

	mu                    sync.Mutex
	visits, operations    int
	slowest, slowestBatch time.Duration
}

func (s *soak) succeeds(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// minute lets a minute pass, with its load and, beside it, the deletions of every replica.
func (s *soak) minute() {
	s.now = s.now.Add(soakInterval)
	work, ctx := errgroup.WithContext(s.Context())
	for i := range soakFlows {
		work.Go(func() error { return s.flow(ctx, s.Replicas[i%len(s.Replicas)]) })
	}
	for i := range soakAbandoned {
		work.Go(func() error { return s.abandoned(ctx, s.Replicas[i%len(s.Replicas)]) })
	}
	for _, replica := range s.Replicas {
		work.Go(func() error { return s.deleteExpired(ctx, replica) })
	}
	s.succeeds(work.Wait())
}

// visit names the next visit.
func (s *soak) visit() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits++
	return fmt.Sprint(s.visits)
}

// steps runs one operation after the other, up to the first that fails.
func (s *soak) steps(operations ...func() error) error {
	for _, operation := range operations {
		started := time.Now()
		if err := operation(); err != nil {
			return err
		}
		s.mu.Lock()
		s.operations++
		s.slowest = max(s.slowest, time.Since(started))
		s.mu.Unlock()
	}
	return nil
}

// flow is a person's authorization, from the client's assertion to the revocation of the access token.
func (s *soak) flow(ctx context.Context, at store.Store) error {
	id, c := s.visit(), &contract{client: "bank.web", now: s.now}
	grant, code := c.grantOf(id)
	grant.ExpiresAt, code.ExpiresAt = s.now.Add(soakGrant), s.now.Add(fapi.CodeLifetime)
	refresh := c.refreshOf(grant)
	refresh.ExpiresAt = grant.ExpiresAt
	return s.steps(
		func() error { return s.useOnce(ctx, at, store.SpaceClientAssertion, d("assertion "+id)) },
		func() error { return s.push(ctx, at, id) },
		func() error { return s.interact(ctx, at, id) },
		func() error {
			return at.BeginSession(ctx, store.Session{ID: d("session " + id), Authentication: c.authentication(), ExpiresAt: s.now.Add(soakSession)})
		},
		func() error { return at.AuthenticateInteraction(ctx, d("visit "+id), c.authentication(), s.now) },
		func() error { return at.CompleteAuthorization(ctx, d("visit "+id), grant, code, s.now) },
		func() error { return s.useOnce(ctx, at, store.SpaceDPoPProof, d("proof "+id)) },
		func() error { return at.RedeemCode(ctx, code.Digest, &refresh, s.now) },
		func() error { return at.RevokeAccessToken(ctx, "jti "+id, s.now.Add(soakToken)) },
	)
}

// abandoned is a person who closes the login page.
func (s *soak) abandoned(ctx context.Context, at store.Store) error {
	id := s.visit()
	return s.steps(
		func() error { return s.push(ctx, at, id) },
		func() error { return s.interact(ctx, at, id) },
	)
}

func (s *soak) useOnce(ctx context.Context, at store.Store, space store.Space, value oauth.Digest) error {
	fresh, err := at.UseOnce(ctx, space, value, s.now.Add(fapi.MaxAssertionLifetime))
	if err == nil && !fresh {
		return fmt.Errorf("a first use of %s was taken for a replay", space)
	}
	return err
}

func (s *soak) push(ctx context.Context, at store.Store, id string) error {
	request := (&contract{client: "bank.web"}).request()
	return at.PushRequest(ctx, store.PushedRequest{URI: d("uri " + id), Request: request, ExpiresAt: s.now.Add(fapi.RequestURILifetime)})
}

func (s *soak) interact(ctx context.Context, at store.Store, id string) error {
	request := (&contract{client: "bank.web"}).request()
	return at.BeginInteraction(ctx, store.Interaction{
		ID: d("visit " + id), RequestURI: d("uri " + id), Request: request, ExpiresAt: s.now.Add(fapi.InteractionLifetime),
	}, nil)
}

// deleteExpired is one replica's round.
func (s *soak) deleteExpired(ctx context.Context, at store.Store) error {
	for {
		started := time.Now()
		deleted, err := at.DeleteExpired(ctx, s.now.Add(-soakDelay), soakBatch)
		s.mu.Lock()
		s.slowestBatch = max(s.slowestBatch, time.Since(started))
		s.mu.Unlock()
		if err != nil || deleted == 0 {
			return err
		}
	}
}

// bounded demands of every table that it has rows, and no more than its bound.
func (s *soak) bounded(rows map[string]int) {
	for table, most := range soakRows() {
		if rows[table] < 1 || rows[table] > most {
			s.Errorf("%s has %d rows; between 1 and %d are expected", table, rows[table], most)
		}
	}
}

// everythingEnds lets all that lives expire.
func (s *soak) everythingEnds() {
	s.now = s.now.Add(soakGrant + 2*soakDelay)
	s.succeeds(s.deleteExpired(s.Context(), s.Replicas[0]))
	for table, rows := range s.Rows(s) {
		if rows > 0 {
			s.Errorf("%d rows of %s are left", rows, table)
		}
	}
}
