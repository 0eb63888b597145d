package resource

import (
	"context"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// recentProofs remembers, for this process, the DPoP proofs that it has accepted.
// Two generations take turns: what the older one holds has expired when it is
// dropped, so nothing is ever searched for expired entries.
type recentProofs struct {
	now func() time.Time

	mutex           sync.Mutex
	younger, older  map[oauth.Digest]struct{}
	youngerBegunAt  time.Time
	longestLifetime time.Duration
}

func newRecentProofs(now func() time.Time) *recentProofs {
	return &recentProofs{now: now, younger: map[oauth.Digest]struct{}{}, youngerBegunAt: now()}
}

// UseOnce implements store.SingleUse.
func (p *recentProofs) UseOnce(_ context.Context, _ store.Space, value oauth.Digest, expiresAt time.Time) (bool, error) {
	now := p.now()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.longestLifetime = max(p.longestLifetime, expiresAt.Sub(now))
	if now.Sub(p.youngerBegunAt) > p.longestLifetime {
		p.younger, p.older, p.youngerBegunAt = map[oauth.Digest]struct{}{}, p.younger, now
	}
	_, inYounger := p.younger[value]
	_, inOlder := p.older[value]
	if inYounger || inOlder {
		return false, nil
	}
	p.younger[value] = struct{}{}
	return true, nil
}
