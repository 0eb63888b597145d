package sqlite

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// callers at once, as a server under load has them.
var callers = []int{2, 16, 64, 256}

// atOnce runs the operation from so many goroutines, and reports operations a second.
func atOnce(b *testing.B, operation func(b *testing.B, s *Store, i int64)) {
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := openStore(b)
			registerClient(b, s)
			runAtOnce(b, s, n, operation)
		})
	}
}

func runAtOnce(b *testing.B, s *Store, callers int, operation func(b *testing.B, s *Store, i int64)) {
	var next atomic.Int64
	b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			operation(b, s, next.Add(1)-1)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func BenchmarkUseOnce(b *testing.B) {
	atOnce(b, func(b *testing.B, s *Store, i int64) {
		if fresh, err := s.UseOnce(b.Context(), store.SpaceDPoPProof, digestOf(i), now); err != nil || !fresh {
			b.Errorf("fresh is %t (%v)", fresh, err)
		}
	})
}

func BenchmarkPushRequest(b *testing.B) {
	atOnce(b, func(b *testing.B, s *Store, i int64) {
		request := store.AuthorizationRequest{ClientID: "web", RedirectURI: "https://app.example/cb", Scope: []string{"openid"},
			State: "af0ifjsldkj", Nonce: "n-0S6_WzA2Mj", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
		err := s.PushRequest(b.Context(), store.PushedRequest{URI: digestOf(i), Request: request, ExpiresAt: now.Add(time.Minute)})
		if err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkRedeemCode(b *testing.B) {
	for _, n := range callers {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			s := openStore(b)
			registerClient(b, s)
			prepareCodes(b, s)
			runAtOnce(b, s, n, func(b *testing.B, s *Store, i int64) {
				refresh := store.RefreshToken{Digest: digestOf(i), GrantID: fmt.Sprint(i), ClientID: "web", ExpiresAt: now.Add(time.Hour)}
				if err := s.RedeemCode(b.Context(), digestOf(i), &refresh, now); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

func BenchmarkPushedRequest(b *testing.B) {
	s := openStore(b)
	registerClient(b, s)
	pushRequest(b, s, digestOf(1))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.PushedRequest(b.Context(), digestOf(1), "web", now); err != nil {
				b.Error(err)
			}
		}
	})
}

// prepareCodes keeps b.N codes, each with its grant, in one change.
func prepareCodes(b *testing.B, s *Store) {
	b.Helper()
	must(b, s.writer.do(b.Context(), func(tx transaction) error {
		for i := range int64(b.N) {
			grant := store.Grant{ID: fmt.Sprint(i), Request: store.AuthorizationRequest{ClientID: "web"}, ExpiresAt: now.Add(time.Hour)}
			if err := keepGrant(tx, grant); err != nil {
				return err
			}
			if err := keepCode(tx, store.Code{Digest: digestOf(i), GrantID: grant.ID, ClientID: "web", ExpiresAt: now.Add(time.Minute)}); err != nil {
				return err
			}
		}
		return nil
	}))
}

func digestOf(i int64) oauth.Digest { return oauth.SecretFrom(fmt.Sprint(i)).Digest() }
