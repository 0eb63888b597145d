package interaction

import (
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How many logins may fail before the next has to wait, and how often one more
// is allowed; our own choices. A name's budget keeps a guesser below the 100
// consecutive failures of NIST SP 800-63B-4, 3.2.2, for an hour and a half, and lets its owner
// in again within a minute. A source may be a whole office behind one address.
const (
	usernameBurst = 10
	usernameEvery = time.Minute
	sourceBurst   = 50
	sourceEvery   = 2 * time.Second
)

// Throttle slows the guessing of passwords down, for each username, known or
// not, and for each source. It is kept in memory: each replica has its own.
type Throttle struct {
	usernames budget
	sources   budget
}

// NewThrottle gives a throttle with full budgets.
func NewThrottle() *Throttle {
	return &Throttle{
		usernames: budget{burst: usernameBurst, every: usernameEvery, seed: maphash.MakeSeed()},
		sources:   budget{burst: sourceBurst, every: sourceEvery, seed: maphash.MakeSeed()},
	}
}

// attempt takes one login from the source's and the username's budgets, or says
// how long to wait. The source comes first, so that a source without budget
// cannot lock other people's names.
func (t *Throttle) attempt(source, username string, now time.Time) (wait time.Duration) {
	if wait := t.sources.take(source, now); wait > 0 {
		return wait
	}
	return t.usernames.take(username, now)
}

// forgive gives a successful login back: only failures cost.
func (t *Throttle) forgive(source, username string) {
	t.sources.giveBack(source)
	t.usernames.giveBack(username)
}

// budgetSlots bounds the memory, whatever names are tried. Keys that fall into
// one slot share its budget; which ones do is not to be foreseen from outside.
const budgetSlots = 1 << 14

// budget is a token bucket for each key. A bucket is known by one time: when it
// will be full again.
type budget struct {
	burst  int
	every  time.Duration
	seed   maphash.Seed
	mu     sync.Mutex
	fullAt [budgetSlots]time.Time
}

func (b *budget) take(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.slot(key)
	if slot.Before(now) {
		*slot = now
	}
	after := slot.Add(b.every)
	if wait := after.Sub(now) - time.Duration(b.burst)*b.every; wait > 0 {
		return wait
	}
	*slot = after
	return 0
}

func (b *budget) giveBack(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.slot(key)
	*slot = slot.Add(-b.every)
}

func (b *budget) slot(key string) *time.Time {
	return &b.fullAt[maphash.String(b.seed, key)%budgetSlots]
}

// ipv6SourceBits: one subscriber commonly has a /64 and may use any address in it.
const ipv6SourceBits = 64

// peerSource names the network peer: an IPv4 address, or an IPv6 /64.
func peerSource(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	address = address.Unmap()
	if address.Is4() {
		return address.String()
	}
	network, err := address.WithZone("").Prefix(ipv6SourceBits)
	if err != nil {
		return address.String()
	}
	return network.String()
}
