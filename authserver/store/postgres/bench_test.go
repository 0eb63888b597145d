package postgres

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// callers at once: one request, and a server under load.
var callers = []int{1, 64}

// atOnce runs the operation from so many goroutines, on a database that waits for
// its disk, and reports operations a second.
func atOnce(b *testing.B, prepare func(b *testing.B, s *Store), operation func(s *Store, i int64) error) {
	cluster := pgcluster.Start(b, pgcluster.Durable)
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			settings := settingsOf(cluster.Database(b))
			settings.MaxConnections = 20 // config.DefaultMaxConnections
			s := openWith(b, settings)
			registerClient(b, s)
			prepare(b, s)
			runAtOnce(b, n, func(i int64) error { return operation(s, i) })
		})
	}
}

func runAtOnce(b *testing.B, callers int, operation func(i int64) error) {
	var next atomic.Int64
	// RunParallel takes so many goroutines for each processor, and one at least.
	previous := runtime.GOMAXPROCS(0)
	if callers == 1 {
		runtime.GOMAXPROCS(1)
		defer runtime.GOMAXPROCS(previous)
	}
	b.SetParallelism(max(1, callers/previous))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := operation(next.Add(1) - 1); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func BenchmarkUseOnce(b *testing.B) {
	atOnce(b, func(*testing.B, *Store) {}, func(s *Store, i int64) error {
		fresh, err := s.UseOnce(b.Context(), store.SpaceDPoPProof, digestOf(i), now)
		if err == nil && !fresh {
			err = store.ErrAlreadyUsed
		}
		return err
	})
}

func BenchmarkPushRequest(b *testing.B) {
	request := store.AuthorizationRequest{ClientID: "web", RedirectURI: "https://app.example/cb", Scope: []string{"openid"},
		State: "af0ifjsldkj", Nonce: "n-0S6_WzA2Mj", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
	atOnce(b, func(*testing.B, *Store) {}, func(s *Store, i int64) error {
		return s.PushRequest(b.Context(), store.PushedRequest{URI: digestOf(i), Request: request, ExpiresAt: now.Add(time.Minute)})
	})
}

func BenchmarkRedeemCode(b *testing.B) {
	atOnce(b, prepareCodes, func(s *Store, i int64) error {
		return s.RedeemCode(b.Context(), digestOf(i), refreshOf(fmt.Sprint(i)), now)
	})
}

func BenchmarkPushedRequest(b *testing.B) {
	request := store.PushedRequest{URI: digestOf("uri"), Request: store.AuthorizationRequest{ClientID: "web"}, ExpiresAt: now.Add(time.Minute)}
	atOnce(b, func(b *testing.B, s *Store) { must(b, s.PushRequest(b.Context(), request)) }, func(s *Store, _ int64) error {
		_, err := s.PushedRequest(b.Context(), request.URI, "web", now)
		return err
	})
}

// prepareCodes keeps b.N codes, each with its grant, in one transaction.
func prepareCodes(b *testing.B, s *Store) {
	b.Helper()
	tx, err := s.pool.Begin(b.Context())
	must(b, err)
	for i := range int64(b.N) {
		_, err := tx.Exec(b.Context(), `INSERT INTO grants (id, client_id, request, authentication, created_at, expires_at)
			VALUES ($1, 'web', '{}', '{}', 0, $2)`, fmt.Sprint(i), now.Add(time.Hour).UnixMicro())
		must(b, err)
		digest := digestOf(i)
		_, err = tx.Exec(b.Context(), `INSERT INTO codes (digest, grant_id, client_id, expires_at) VALUES ($1, $2, 'web', $3)`,
			digest[:], fmt.Sprint(i), now.Add(time.Minute).UnixMicro())
		must(b, err)
	}
	must(b, tx.Commit(b.Context()))
}
