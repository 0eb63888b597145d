package keys

import (
	"context"
	"slices"
	"time"
)

// Description is what an administrator is told of a key.
type Description struct {
	// ID is the key's use, algorithm and generation, such as sig/ES256/1.
	ID string
	// KeyID is the kid in the published set and in the headers of what it signs.
	KeyID     string
	Use       string // sig or enc (RFC 7517, 4.2)
	Algorithm string
	State     string // next, current or previous
	CreatedAt time.Time
	// TakesOverAt is when the key serves, or began to; zero for the oldest of its
	// use and algorithm, which waits for nobody.
	TakesOverAt time.Time
	// DoneAt is when the key goes by itself; zero until its successor is known.
	DoneAt time.Time
	// SuccessorAt is when the next key of its use and algorithm is made; zero for
	// all but the newest.
	SuccessorAt time.Time
}

func (k openedKey) description(now time.Time) Description {
	return Description{
		ID: k.row.ID, KeyID: k.public().KeyID(), Use: k.row.Use, Algorithm: k.row.Algorithm, State: string(k.state(now)),
		CreatedAt: k.row.CreatedAt, TakesOverAt: k.takesOver, DoneAt: k.doneAt, SuccessorAt: k.successorAt,
	}
}

// List reads the store and describes its keys: by use and algorithm, oldest first.
func (r *Ring) List(ctx context.Context) ([]Description, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	now := r.config.Now()
	if _, err := r.read(ctx, now); err != nil {
		return nil, err
	}
	var described []Description
	for _, key := range *r.opened.Load() {
		described = append(described, key.description(now))
	}
	return described, nil
}

// Drop removes the key with the kid at once, because it is not to be trusted any
// more, and tells whether there was one. From its return on this replica neither
// signs nor decrypts with it and believes nothing that it has signed; the others
// do so when they have read the store again, after fapi.KeyReadInterval at most.
// What serves in its place is in the store before it goes; replacement says which
// key that is.
//
// With an error the key may be gone or not; dropping it again is no harm.
func (r *Ring) Drop(ctx context.Context, kid string) (dropped bool, err error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	now := r.config.Now()
	// What is done goes first, so that no key serves again that is not published any more.
	keys, err := r.turn(ctx, now)
	if err != nil {
		return false, err
	}
	opened := *r.opened.Load()
	found := slices.IndexFunc(opened, func(key openedKey) bool { return key.public().KeyID() == kid })
	if found < 0 {
		return false, nil
	}
	if made, needed := replacement(opened[found].scheduled, keys); needed {
		if err := r.make(ctx, made, now); err != nil {
			return false, err
		}
	}
	if err := r.removeRow(ctx, opened[found].row); err != nil {
		return false, err
	}
	if _, err := r.read(ctx, now); err != nil {
		left := slices.Delete(slices.Clone(opened), found, found+1)
		r.opened.Store(&left)
		r.readAt.Store(&time.Time{}) // Whoever uses a key next tries again.
		return true, err
	}
	return true, nil
}
