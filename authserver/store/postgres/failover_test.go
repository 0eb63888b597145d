package postgres

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

const (
	failoverUsers = 8
	// failoverAfter is how many flows are acknowledged before the primary crashes, and once more after the promotion.
	failoverAfter = 150
)

// TestASynchronousStandbyTakesOver: the primary dies in the middle of a load by two
// replicas, and its standby is promoted. Nothing that was acknowledged is lost,
// nothing succeeds twice, and the replicas go on by themselves. The standby stands
// first among the hosts: as long as it takes no writes it is passed over.
func TestASynchronousStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := pgcluster.Start(t, pgcluster.Durable)
	settings := settingsOf(primary.Database(t)) // The standby is copied with it.
	standby := primary.Standby(t)
	settings.Hosts = []string{standby.Socket(), primary.Socket()}
	replicas := []*Store{openWith(t, settings), openWith(t, settings)}
	registerClient(t, replicas[0])
	load := startLoad(t, replicas)

	load.await(failoverAfter)
	primary.Crash(t)
	crashed := time.Now()
	standby.Promote(t)
	promoted := time.Now()
	load.await(failoverAfter)
	flows := load.end()

	for _, flow := range flows {
		flow.survived(t, replicas[1])
	}
	t.Logf("%d flows; the standby took writes %s after the crash; for %s no flow ended; %d operations failed",
		len(flows), promoted.Sub(crashed).Round(time.Millisecond), longestPause(flows).Round(time.Millisecond), load.failures)
}

// longestPause is the longest time in which no redemption was acknowledged.
func longestPause(flows []flow) (longest time.Duration) {
	flows = slices.DeleteFunc(slices.Clone(flows), func(f flow) bool { return !f.redeemed })
	slices.SortFunc(flows, func(a, b flow) int { return a.ended.Compare(b.ended) })
	for i, f := range flows[1:] {
		longest = max(longest, f.ended.Sub(flows[i].ended))
	}
	return longest
}

// TestARevocationThatNoStandbyHas: while the synchronous standby is away no commit
// is acknowledged, nor is what only repeats one: a caller who tries again must not
// be told that the grant is revoked, since the standby would bring it back.
func TestARevocationThatNoStandbyHas(t *testing.T) {
	t.Parallel()
	primary := pgcluster.Start(t, pgcluster.Durable)
	standby := primary.Standby(t)
	settings := settingsOf(primary.Database(t))
	settings.Hosts = append(settings.Hosts, standby.Socket())
	s := openWith(t, settings)
	registerClient(t, s)
	completeGrant(t, s, "grant")

	standby.Crash(t)
	for try := range 2 {
		if err := s.RevokeGrant(t.Context(), "grant", now); err == nil {
			t.Errorf("try %d was acknowledged without the standby", try)
		}
	}
	primary.Crash(t)
	standby.Restart(t)
	standby.Promote(t)
	if _, err := s.Grant(t.Context(), "grant"); err != nil {
		t.Fatalf("the standby had the revocation all the same (%v): this test proves nothing", err)
	}
	must(t, s.RevokeGrant(t.Context(), "grant", now))
}

// flow is what was acknowledged of one person's visit.
type flow struct {
	id                      string
	used, granted, redeemed bool
	ended                   time.Time
}

// survived demands that what was acknowledged is still there.
func (f flow) survived(t *testing.T, s *Store) {
	t.Helper()
	if f.used {
		if fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("jti "+f.id), now); err != nil || fresh {
			t.Errorf("the use of %s was acknowledged and lost: fresh is %t (%v)", f.id, fresh, err)
		}
	}
	if f.granted {
		if _, err := s.Grant(t.Context(), f.id); err != nil {
			t.Errorf("the grant %s was acknowledged and lost: %v", f.id, err)
		}
	}
	if !f.redeemed {
		return
	}
	if _, _, err := s.RefreshToken(t.Context(), digestOf("refresh "+f.id), now); err != nil {
		t.Errorf("the redemption of %s was acknowledged and its refresh token lost: %v", f.id, err)
	}
	if err := s.RedeemCode(t.Context(), digestOf("code "+f.id), nil, now); !errors.Is(err, store.ErrAlreadyUsed) {
		t.Errorf("the code of %s was redeemed twice: %v", f.id, err)
	}
}

// load are users who go through one flow after the other.
type load struct {
	t        *testing.T
	stop     chan struct{}
	users    sync.WaitGroup
	finished chan flow
	flows    []flow

	mu       sync.Mutex
	failures int
}

func startLoad(t *testing.T, replicas []*Store) *load {
	l := &load{t: t, stop: make(chan struct{}), finished: make(chan flow, failoverUsers)}
	for user := range failoverUsers {
		l.users.Go(func() {
			for i := 0; !l.stopped(); i++ {
				l.finished <- l.visit(fmt.Sprintf("%d-%d", user, i), replicas[i%2], replicas[(i+1)%2])
			}
		})
	}
	return l
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// visit authorizes and redeems at one replica; at the same moment the other one
// sees the same proof. An error leaves open whether something has happened.
func (l *load) visit(id string, one, other *Store) flow {
	done := flow{id: id}
	done.used = l.race(id, one, other)
	err := tryGrant(l.t.Context(), one, id)
	done.granted = err == nil
	if done.granted {
		err = one.RedeemCode(l.t.Context(), digestOf("code "+id), refreshOf(id), now)
		done.redeemed = err == nil
	}
	if errors.Is(err, store.ErrAlreadyUsed) || errors.Is(err, store.ErrAlreadyExists) || errors.Is(err, store.ErrNotFound) {
		l.t.Errorf("the first visit %s was taken for another one: %v", id, err)
	}
	l.count(err)
	done.ended = time.Now()
	return done
}

// race has both replicas use one value, and tells whether one was told that it was first.
func (l *load) race(id string, replicas ...*Store) bool {
	fresh, errs := make([]bool, len(replicas)), make([]error, len(replicas))
	var using sync.WaitGroup
	for i, s := range replicas {
		using.Go(func() {
			fresh[i], errs[i] = s.UseOnce(l.t.Context(), store.SpaceDPoPProof, digestOf("jti "+id), now)
			l.count(errs[i])
		})
	}
	using.Wait()
	if fresh[0] && fresh[1] {
		l.t.Errorf("%s was used twice", id)
	}
	if errors.Join(errs...) == nil && !fresh[0] && !fresh[1] {
		l.t.Errorf("both uses of %s were taken for replays", id)
	}
	return fresh[0] || fresh[1]
}

func (l *load) count(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
}

// await takes so many flows that were acknowledged to their end.
func (l *load) await(redeemed int) {
	for redeemed > 0 {
		done := <-l.finished
		l.flows = append(l.flows, done)
		if done.redeemed {
			redeemed--
		}
	}
}

// end lets every user finish, and gives all flows.
func (l *load) end() []flow {
	close(l.stop)
	go func() {
		l.users.Wait()
		close(l.finished)
	}()
	for done := range l.finished {
		l.flows = append(l.flows, done)
	}
	return l.flows
}
