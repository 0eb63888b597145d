package keys

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Config is what a Ring is opened with.
type Config struct {
	Store             store.ServerKeys
	KeyEncryptionKeys KeyEncryptionKeys
	// Custodian keeps the private halves of signing keys; nil where the store does.
	// Keys of before stay where they are until they have been followed.
	Custodian Custodian
	// InStore are algorithms whose new signing keys the store keeps all the same.
	InStore []jose.SignatureAlgorithm
	Policy  Policy
	Now     func() time.Time
	Log     *slog.Logger
}

func (c Config) safe() safe { return safe{c.KeyEncryptionKeys, c.Custodian, c.InStore} }

// Ring is the server's keys. What it gives depends on the time: a key takes over
// at its moment at every replica, whether or not Turn has been called since. What
// it knows is read again when it is older than fapi.KeyReadInterval, so that no
// replica goes on with a key that was dropped at another. It is safe for
// concurrent use.
type Ring struct {
	config Config
	opened atomic.Pointer[[]openedKey]
	// readAt is when the store was last read, or could not be.
	readAt atomic.Pointer[time.Time]

	// reading lets one reading of the store at a time change what follows.
	reading sync.Mutex
	// soughtAt is when the store was last read for the sake of an unknown key.
	soughtAt time.Time
	states   map[string]state // by kid
}

// openedKey is a key that has been opened.
type openedKey struct {
	scheduled
	private
}

// Open loads the server's keys, and first makes those that are missing: one for
// each algorithm of package jose, to sign with and to decrypt with. A new key is
// in the store before it is used.
func Open(ctx context.Context, config Config) (*Ring, error) {
	ring := &Ring{config: config}
	if err := config.safe().check(); err != nil {
		return nil, fmt.Errorf("open the server's keys: %w", err)
	}
	if err := ring.Turn(ctx); err != nil {
		return nil, fmt.Errorf("open the server's keys: %w", err)
	}
	if err := ring.logOrphans(ctx); err != nil {
		return nil, fmt.Errorf("look for keys in custody that nobody refers to: %w", err)
	}
	return ring, nil
}

// Ready tells whether the keys can sign: whether their custodian answers, where
// there is one.
func (r *Ring) Ready(ctx context.Context) error {
	if r.config.Custodian == nil {
		return nil
	}
	return r.config.Custodian.Ready(ctx)
}

// Signer gives the key that signs now with the algorithm; nil when the algorithm
// is none of jose.SignatureAlgorithms.
func (r *Ring) Signer(alg jose.SignatureAlgorithm) *jose.SigningKey {
	for _, key := range r.keysIn(r.config.Now(), current) {
		if key.signing != nil && key.signing.Algorithm() == alg {
			return key.signing
		}
	}
	return nil
}

// PublicKeys is the set to publish, each key with kid, use and alg: the keys that
// serve now, the signing keys that will, and those whose signatures may be in
// somebody's hands. No two encryption keys are for one algorithm.
func (r *Ring) PublicKeys() *jose.KeySet {
	now := r.config.Now()
	var published []jose.PublicKey
	for _, key := range r.keysIn(now, current, previous, next) {
		if key.signing != nil || key.state(now) == current {
			published = append(published, key.public())
		}
	}
	return jose.NewKeySet(published...)
}

// DecryptionKeys are the keys that clients may have encrypted to.
func (r *Ring) DecryptionKeys() []*jose.DecryptionKey {
	var keys []*jose.DecryptionKey
	for _, key := range r.keysIn(r.config.Now(), current, previous, next) {
		if key.decryption != nil {
			keys = append(keys, key.decryption)
		}
	}
	return keys
}

// RefreshedPublicKeys reads the store again, at a bounded rate, because a token's
// key is not known: another replica may have made it just now.
func (r *Ring) RefreshedPublicKeys() *jose.KeySet {
	r.refresh(context.Background())
	return r.PublicKeys()
}

// RefreshedDecryptionKeys is the same for a key that somebody encrypted to.
func (r *Ring) RefreshedDecryptionKeys(ctx context.Context) []*jose.DecryptionKey {
	r.refresh(ctx)
	return r.DecryptionKeys()
}

// Turn makes the keys that are due, removes those that nobody needs any more, and
// learns of what other replicas did. Until it succeeds, the ring gives what it
// knows: a store that fails stops no signature by itself. Whoever asks for one
// has needed the store already, which tells who the client is and what was revoked.
//
// Replicas that turn at once agree, because a key's identifier is its place (its
// use and algorithm) and generation: the store keeps the first key of an
// identifier, and the others are thrown away unused.
func (r *Ring) Turn(ctx context.Context) error {
	r.reading.Lock()
	defer r.reading.Unlock()
	_, err := r.turn(ctx, r.config.Now())
	return err
}

// turn gives the keys that are left, in the order of the schedule.
func (r *Ring) turn(ctx context.Context, now time.Time) ([]scheduled, error) {
	// Before anything is made: a wrong key encryption key must not seal new keys beside the old.
	planned, err := r.read(ctx, now)
	if err != nil {
		return nil, err
	}
	for _, successor := range planned.make {
		if err := r.make(ctx, successor, now); err != nil {
			return nil, err
		}
	}
	if len(planned.make) > 0 {
		if planned, err = r.read(ctx, now); err != nil {
			return nil, err
		}
	}
	return planned.keep, r.remove(ctx, planned.remove...)
}

// keysIn gives the keys that are in the states at a time, in the order of the states.
func (r *Ring) keysIn(now time.Time, states ...state) []openedKey {
	r.keepUp(now)
	keys := slices.DeleteFunc(slices.Clone(*r.opened.Load()), func(key openedKey) bool {
		return !slices.Contains(states, key.state(now))
	})
	slices.SortStableFunc(keys, func(a, b openedKey) int {
		return cmp.Compare(slices.Index(states, a.state(now)), slices.Index(states, b.state(now)))
	})
	return keys
}

// keepUp reads the store again when what is known is as old as it may be. It is
// the user of a key who waits for that, and no loop that could be late: a process
// that was stopped for a while does not go on with what it knew.
func (r *Ring) keepUp(now time.Time) {
	if r.knowsAt(now) {
		return
	}
	r.reading.Lock()
	defer r.reading.Unlock()
	if !r.knowsAt(now) { // Another user may have read it meanwhile.
		r.tryToRead(context.Background(), now)
	}
}

func (r *Ring) knowsAt(now time.Time) bool {
	return now.Before(r.readAt.Load().Add(fapi.KeyReadInterval))
}

func (r *Ring) refresh(ctx context.Context) {
	r.reading.Lock()
	defer r.reading.Unlock()
	now := r.config.Now()
	if now.Before(r.soughtAt.Add(fapi.KeyRefreshInterval)) {
		return
	}
	r.soughtAt = now
	r.tryToRead(ctx, now)
}

// readingTime bounds a reading of the store while a request waits; our own choice.
const readingTime = 5 * time.Second

func (r *Ring) tryToRead(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, readingTime)
	defer cancel()
	if _, err := r.read(ctx, now); err != nil {
		r.config.Log.Warn("the server's keys could not be read again; what is known of them stays in use", "error", err)
	}
}

// read reads the store, and puts what it holds in the place of what was known.
func (r *Ring) read(ctx context.Context, now time.Time) (plan, error) {
	r.readAt.Store(&now)
	rows, err := r.config.Store.ServerKeys(ctx)
	if err != nil {
		return plan{}, err
	}
	planned, opened, err := r.understand(ctx, rows, now)
	if err != nil {
		r.forget(rows)
		return plan{}, err
	}
	r.opened.Store(&opened)
	r.logChanges(opened, now)
	return planned, nil
}

func (r *Ring) understand(ctx context.Context, rows []store.ServerKey, now time.Time) (plan, []openedKey, error) {
	planned, err := newPlan(rows, now, r.config.Policy)
	if err != nil {
		return plan{}, nil, err
	}
	opened, err := r.openAll(ctx, planned.keep)
	return planned, opened, err
}

// forget takes away what is in the store no longer when the rest of it cannot be
// understood: a key that does not open must not keep one alive that was dropped.
func (r *Ring) forget(rows []store.ServerKey) {
	before := r.opened.Load()
	if before == nil {
		return
	}
	left := slices.DeleteFunc(slices.Clone(*before), func(key openedKey) bool { return !slices.ContainsFunc(rows, key.isOf) })
	r.opened.Store(&left)
}

// isOf compares the sealed key too: an identifier may have come to another key.
func (k openedKey) isOf(row store.ServerKey) bool {
	return k.row.ID == row.ID && bytes.Equal(k.row.Sealed, row.Sealed)
}

// openAll opens the keys that have not been opened before.
func (r *Ring) openAll(ctx context.Context, keys []scheduled) ([]openedKey, error) {
	var known []openedKey
	if before := r.opened.Load(); before != nil {
		known = *before
	}
	opened := make([]openedKey, len(keys))
	for i, key := range keys {
		same := slices.IndexFunc(known, func(k openedKey) bool { return k.isOf(key.row) })
		if same >= 0 {
			opened[i] = openedKey{key, known[same].private}
			continue
		}
		half, err := r.config.safe().open(ctx, key.row)
		if err != nil {
			return nil, fmt.Errorf("open server key %s: %w", key.row.ID, err)
		}
		opened[i] = openedKey{key, half}
	}
	return opened, nil
}

// make makes a key, unless another replica was faster.
func (r *Ring) make(ctx context.Context, successor successor, now time.Time) error {
	row := store.ServerKey{
		ID: successor.id(successor.generation), Use: successor.use, Algorithm: successor.algorithm, CreatedAt: now,
	}
	if err := r.config.safe().fill(ctx, &row); err != nil {
		return err
	}
	err := r.config.Store.AddServerKey(ctx, row)
	if errors.Is(err, store.ErrAlreadyExists) {
		r.destroy(ctx, row)
		return nil
	}
	if err == nil {
		r.config.Log.Info("server key made", "key", row.ID)
	}
	return err
}

// remove removes keys that nobody needs any more. While their custodian does not
// answer they stay, so that none is left behind there.
func (r *Ring) remove(ctx context.Context, keys ...scheduled) error {
	if len(keys) == 0 {
		return nil
	}
	if err := r.Ready(ctx); err != nil {
		return err
	}
	for _, key := range keys {
		if err := r.removeRow(ctx, key.row); err != nil {
			return err
		}
	}
	return nil
}

// removeRow removes a key for ever. The row goes first, so that none refers to a
// key that is gone.
func (r *Ring) removeRow(ctx context.Context, row store.ServerKey) error {
	if err := r.config.Store.DeleteServerKey(ctx, row.ID); err != nil {
		return err
	}
	r.config.Log.Info("server key removed", "key", row.ID)
	r.destroy(ctx, row)
	return nil
}

// destroy ends a private half that no row refers to, also when the server is told
// to stop meanwhile. What fails cannot be tried again, and is told.
func (r *Ring) destroy(ctx context.Context, row store.ServerKey) {
	if err := r.config.safe().destroy(context.WithoutCancel(ctx), row); err != nil {
		r.config.Log.Error("the private half of a server key that was removed is still in custody; `authserver check` names it", "key", row.ID, "error", err)
	}
}

// logOrphans tells what keys were left in custody by a process that was killed.
// Nothing tells for certain that no other server uses them, so they are not destroyed.
func (r *Ring) logOrphans(ctx context.Context) error {
	orphans, err := r.config.safe().orphans(ctx, r.config.Store)
	for _, id := range orphans {
		r.config.Log.Warn("a key in custody belongs to no server key; destroy it with the custodian's own tools, unless another replica is just making it", "id", id)
	}
	return err
}

// logChanges tells which keys have come into another state since the last
// reading, or are gone.
func (r *Ring) logChanges(keys []openedKey, now time.Time) {
	states := make(map[string]state, len(keys))
	for _, key := range keys {
		kid, reached := key.public().KeyID(), key.state(now)
		states[kid] = reached
		if r.states[kid] != reached {
			r.config.Log.Info("server key", "key", key.row.ID, "kid", kid, "state", string(reached))
		}
	}
	for kid := range r.states {
		if _, known := states[kid]; !known {
			r.config.Log.Info("server key", "kid", kid, "state", "gone")
		}
	}
	r.states = states
}
