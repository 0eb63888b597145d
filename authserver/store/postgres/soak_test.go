package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
	"github.com/fapi-operator/fapi-operator/authserver/store/storetest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// expiring are the tables whose rows expire.
var expiring = []string{"pushed_requests", "interactions", "sessions", "grants", "codes",
	"refresh_tokens", "revoked_access_tokens", "single_use"}

// TestSoak counts tables and indexes. Autovacuum looks at them once a minute in
// earnest (autovacuum_naptime); the hours here pass in seconds, so that a VACUUM
// every five of their minutes takes its place.
func TestSoak(t *testing.T) {
	t.Parallel()
	storetest.Soak(t, func(t testing.TB) storetest.Soaked {
		database := pgcluster.New(t)
		settings := settingsOf(database)
		first := openWith(t, settings)
		return storetest.Soaked{
			Replicas: []store.Store{first, openWith(t, settings), openWith(t, settings)},
			Rows:     func(t testing.TB) map[string]int { return rowsOf(t, first) },
			Tidy: func(t testing.TB) {
				database.Exec(t, "VACUUM "+strings.Join(expiring, ", "))
			},
			Bytes: func(t testing.TB) (bytes int64) {
				must(t, first.row(t.Context(), `SELECT sum(pg_total_relation_size(oid)) FROM pg_class
					WHERE relkind = 'r' AND relname = ANY ($1)`, []any{&bytes}, expiring))
				return bytes
			},
		}
	})
}

func rowsOf(t testing.TB, s *Store) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range expiring {
		var count int
		must(t, s.row(t.Context(), "SELECT count(*) FROM "+table, []any{&count}))
		counts[table] = count
	}
	return counts
}

// TestDeletionsWaitForNobody: one replica has deleted a batch and not committed it.
// Another one deletes the rest, requests are served, and none of them waits. When
// the first one dies, what it had taken goes with the next round.
func TestDeletionsWaitForNobody(t *testing.T) {
	t.Parallel()
	settings := settingsOf(pgcluster.New(t))
	s := openWith(t, settings)
	registerClient(t, s)
	const people, taken = 12, 5
	for i := range people {
		id := fmt.Sprint(i)
		completeGrant(t, s, id)
		must(t, s.RedeemCode(t.Context(), digestOf("code "+id), refreshOf(id), now))
		must(t, s.BeginSession(t.Context(), store.Session{ID: digestOf(id), ExpiresAt: now.Add(time.Minute)}))
		must(t, s.RevokeAccessToken(t.Context(), id, now.Add(time.Minute)))
		_, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf(id), now.Add(time.Minute))
		must(t, err)
		request := store.AuthorizationRequest{ClientID: "web"}
		must(t, s.PushRequest(t.Context(), store.PushedRequest{URI: digestOf("left " + id), Request: request, ExpiresAt: now.Add(time.Minute)}))
		must(t, s.BeginInteraction(t.Context(), store.Interaction{ID: digestOf("left " + id), RequestURI: digestOf("left " + id), Request: request, ExpiresAt: now.Add(time.Minute)}, nil))
	}
	later := now.Add(2 * time.Hour)
	dying, err := s.pool.Begin(t.Context())
	must(t, err)
	t.Cleanup(func() { _ = dying.Rollback(context.Background()) }) // It was done, unless the test failed.
	for _, statement := range deleteExpired {
		tag, err := dying.Exec(t.Context(), statement, column.Micros(later), taken)
		must(t, err)
		if tag.RowsAffected() != taken {
			t.Fatalf("%d rows were deleted by %s, want %d", tag.RowsAffected(), statement, taken)
		}
	}
	other := openWith(t, settings)
	before := time.Now()
	_, err = other.DeleteExpired(t.Context(), later, people)
	must(t, err)
	fresh, err := other.UseOnce(t.Context(), store.SpaceDPoPProof, digestOf("live"), later.Add(time.Minute))
	must(t, err)
	must(t, other.BeginSession(t.Context(), store.Session{ID: digestOf("live"), ExpiresAt: later.Add(time.Minute)}))
	must(t, other.RevokeAccessToken(t.Context(), "live", later.Add(time.Minute)))
	must(t, other.PushRequest(t.Context(), store.PushedRequest{URI: digestOf("live"), Request: store.AuthorizationRequest{ClientID: "web"}, ExpiresAt: later.Add(time.Minute)}))
	if waited := time.Since(before); waited >= statementTime || !fresh {
		t.Errorf("they waited for %s; fresh is %t", waited, fresh)
	}
	must(t, dying.Rollback(t.Context()))
	_, err = other.DeleteExpired(t.Context(), later, people)
	must(t, err)
	left := map[string]int{"single_use": 1, "sessions": 1, "revoked_access_tokens": 1, "pushed_requests": 1}
	for table, rows := range rowsOf(t, other) {
		if want := left[table]; rows != want {
			t.Errorf("%d rows of %s are left, want %d", rows, table, want)
		}
	}
}
