package keys

import (
	"cmp"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Policy says when keys change.
type Policy struct {
	// Interval lies between the making of one key and of the next.
	Interval time.Duration
	// Takeover is how long a new key is known before it takes over: longer than
	// clients cache the key set, and than replicas wait until they read the store.
	Takeover time.Duration
	// SignatureRetention is how long a signing key stays published once another has
	// taken over: until all that it signed has expired, at least.
	SignatureRetention time.Duration
	// EncryptionRetention is how long a key decrypts once another has taken over:
	// for a cached key set and the life of a request object, at least.
	EncryptionRetention time.Duration
}

func (p Policy) retention(use string) time.Duration {
	if use == useSignature {
		return p.SignatureRetention
	}
	return p.EncryptionRetention
}

// state is how far a key has come in its life. A signing key is published from
// next to previous, so that nobody meets a signature by a key that he could not
// know. Of encryption keys the current one alone is published, so that clients
// turn to it at once, and all of them decrypt.
type state string

const (
	next     state = "next"     // it is known, and does nothing yet
	current  state = "current"  // it signs, or is what clients encrypt to
	previous state = "previous" // what it signed, or was encrypted to it, may still come
	done     state = "done"     // nobody needs it any more
)

// scheduled is a key with the times at which its state changes.
type scheduled struct {
	row        store.ServerKey
	generation int
	// takesOver is zero for the oldest key of a place, which has nobody to wait for.
	takesOver time.Time
	// succeeded is when the next generation takes over, and doneAt the retention
	// later; both are zero for the newest key of a place.
	succeeded time.Time
	doneAt    time.Time
	// successorAt is when the next generation is made; zero for all but the newest.
	successorAt time.Time
}

func (s scheduled) state(now time.Time) state {
	switch {
	case now.Before(s.takesOver):
		return next
	case s.succeeded.IsZero() || now.Before(s.succeeded):
		return current
	case now.Before(s.doneAt):
		return previous
	}
	return done
}

// schedule gives the keys their times, place by place and oldest first. It
// depends on nothing but what all replicas have: the store and the policy. The
// order is the generations', whatever the clocks of their makers showed.
func schedule(rows []store.ServerKey, policy Policy) ([]scheduled, error) {
	keys := make([]scheduled, len(rows))
	for i, row := range rows {
		generation, err := generationOf(row)
		if err != nil {
			return nil, err
		}
		keys[i] = scheduled{row: row, generation: generation, successorAt: row.CreatedAt.Add(policy.Interval)}
	}
	slices.SortFunc(keys, func(a, b scheduled) int {
		return cmp.Or(cmp.Compare(a.row.Use, b.row.Use), cmp.Compare(a.row.Algorithm, b.row.Algorithm), cmp.Compare(a.generation, b.generation))
	})
	for i := range keys {
		if i > 0 && placeOf(keys[i-1].row) == placeOf(keys[i].row) {
			follow(&keys[i-1], &keys[i], policy)
		}
	}
	return keys, nil
}

// follow sets when a key takes over from the one before it.
func follow(before, key *scheduled, policy Policy) {
	key.takesOver = key.row.CreatedAt.Add(policy.Takeover)
	if key.takesOver.Before(before.takesOver) {
		key.takesOver = before.takesOver
	}
	before.succeeded, before.successorAt = key.takesOver, time.Time{}
	before.doneAt = before.succeeded.Add(policy.retention(before.row.Use))
}

// plan is what is to be done with the keys at one time.
type plan struct {
	keep   []scheduled
	remove []scheduled
	make   []successor
}

// successor is a key that is yet to be made.
type successor struct {
	place
	generation int
}

// newPlan is the whole rule of rotation: each place has a key, and a new one when
// the newest is older than the interval; a key goes when nobody needs it any
// more. Replicas that look at the same keys at about the same time plan the same.
func newPlan(rows []store.ServerKey, now time.Time, policy Policy) (plan, error) {
	keys, err := schedule(rows, policy)
	if err != nil {
		return plan{}, err
	}
	var planned plan
	for _, key := range keys {
		if key.state(now) == done {
			planned.remove = append(planned.remove, key)
			continue
		}
		planned.keep = append(planned.keep, key)
	}
	for _, place := range places() {
		newest := newestAt(place, keys)
		if newest.generation == 0 || !now.Before(newest.successorAt) {
			planned.make = append(planned.make, successor{place, newest.generation + 1})
		}
	}
	return planned, nil
}

// replacement is the key to make before one is dropped: the next generation,
// unless there is a younger one. So the place always has a key, and no identifier
// comes to another key: a replica that drops or removes the same one a moment
// later does not hit its replacement.
//
// What serves then is the schedule of those that are left, and the oldest of them
// waits for nobody. Where nothing else is left the replacement serves at once,
// known to clients or not; so does a next key, before its time. A previous key
// that is still published serves again until the next one's time has come: every
// client knows it, it is as good as it was, and whoever trusts it no longer drops
// it too.
func replacement(dropped scheduled, keys []scheduled) (made successor, needed bool) {
	place := placeOf(dropped.row)
	newest := newestAt(place, keys).generation
	return successor{place, newest + 1}, newest == dropped.generation
}

// newestAt gives the zero value for a place without a key.
func newestAt(p place, keys []scheduled) scheduled {
	var newest scheduled
	for _, key := range keys {
		if placeOf(key.row) == p {
			newest = key
		}
	}
	return newest
}
