package postgres

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

const (
	crashRounds = 3
	crashUsers  = 16
	// crashAfter is how many uses of a round are acknowledged before the crash.
	crashAfter = 200
)

// TestCrashesUnderLoad: the database crashes in the middle of many first uses and
// comes back. No first use is taken for a replay, and none that was acknowledged
// is lost.
func TestCrashesUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := pgcluster.Start(t, pgcluster.Durable)
	s := openWith(t, settingsOf(cluster.Database(t)))
	acknowledged := make(chan string, crashUsers)
	stop := make(chan struct{})
	var users sync.WaitGroup
	for user := range crashUsers {
		users.Go(func() { useUntil(t, s, fmt.Sprint(user), stop, acknowledged) })
	}
	var used []string
	for range crashRounds {
		for range crashAfter {
			used = append(used, <-acknowledged)
		}
		cluster.Crash(t)
		cluster.Restart(t)
	}
	go func() {
		close(stop)
		users.Wait()
		close(acknowledged)
	}()
	for value := range acknowledged {
		used = append(used, value)
	}
	for _, value := range used {
		if fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf(value), now); err != nil || fresh {
			t.Fatalf("%s was acknowledged and lost: fresh is %t (%v)", value, fresh, err)
		}
	}
	t.Logf("%d uses were acknowledged over %d crashes", len(used), crashRounds)
}

// useUntil uses one value after the other. An error leaves it open whether the
// value is used; a replay there is none.
func useUntil(t *testing.T, s *Store, user string, stop <-chan struct{}, acknowledged chan<- string) {
	for i := 0; ; i++ {
		value := fmt.Sprintf("%s-%d", user, i)
		fresh, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf(value), now)
		if err == nil && !fresh {
			t.Errorf("the first use of %s was taken for a replay", value)
		}
		if err == nil {
			acknowledged <- value
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}
