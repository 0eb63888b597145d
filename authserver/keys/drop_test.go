package keys

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func drop(t *testing.T, ring *Ring, kid string) {
	t.Helper()
	dropped, err := ring.Drop(t.Context(), kid)
	must(t, err)
	if !dropped {
		t.Fatalf("there is no key %s", kid)
	}
}

// kidAt is the kid of the algorithm's key in the state.
func kidAt(t *testing.T, ring *Ring, algorithm string, in state) string {
	t.Helper()
	for _, key := range ring.keysIn(ring.config.Now(), in) {
		if key.row.Algorithm == algorithm {
			return key.public().KeyID()
		}
	}
	t.Fatalf("no key of %s is %s", algorithm, in)
	return ""
}

func sign(t *testing.T, ring *Ring) string {
	t.Helper()
	signer := ring.Signer(jose.ES256)
	if signer == nil {
		t.Fatal("nothing signs")
	}
	token, err := signer.Sign("JWT", map[string]string{"sub": "alice"})
	must(t, err)
	return token
}

// signerOf is the kid of a JWT's header.
func signerOf(t *testing.T, token string) string {
	t.Helper()
	unverified, err := jose.ParseSigned(token, jose.SignatureAlgorithms())
	must(t, err)
	return unverified.KeyID()
}

// In whatever state a key is: once it is dropped, this replica believes and signs
// nothing with it, the other one neither within the interval, both sign with the
// same key, and each verifies what the other has signed.
func TestADroppedKeyIsGoneAtEveryReplica(t *testing.T) {
	t.Parallel()
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	for name, test := range map[string]struct {
		after []time.Duration // turns before
		state state
	}{
		"current alone":         {nil, current},
		"current with next":     {[]time.Duration{30 * day}, current},
		"next":                  {[]time.Duration{30 * day}, next},
		"current with previous": {[]time.Duration{30 * day, 2 * time.Hour}, current},
		"previous":              {[]time.Duration{30 * day, 2 * time.Hour}, previous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
			clock := clockAt(now)
			here, err := open(t, kept, keyEncryptionKeys, clock)
			must(t, err)
			there, err := open(t, kept, keyEncryptionKeys, clock)
			must(t, err)
			before := sign(t, here)
			for _, later := range test.after {
				clock.move(later)
				must(t, here.Turn(t.Context()))
				must(t, there.Turn(t.Context()))
			}
			kid := kidAt(t, here, "ES256", test.state)
			drop(t, here, kid)
			fresh := sign(t, here)
			if here.Signer(jose.ES256).KeyID() == kid || knows(here.PublicKeys(), kid) {
				t.Error("the replica that dropped the key uses it")
			}
			must(t, verify(fresh, there.RefreshedPublicKeys()))
			clock.move(fapi.KeyReadInterval)
			if there.Signer(jose.ES256).KeyID() != here.Signer(jose.ES256).KeyID() {
				t.Error("the replicas sign with different keys")
			}
			if difference := cmp.Diff(published(t, here), published(t, there)); difference != "" || knows(there.PublicKeys(), kid) {
				t.Errorf("the replicas publish different keys\n%s", difference)
			}
			if err := verify(before, there.PublicKeys()); (err == nil) == (signerOf(t, before) == kid) {
				t.Errorf("what was signed before: %v", err)
			}
			if dropped, err := here.Drop(t.Context(), kid); dropped || err != nil {
				t.Errorf("dropped again: %t, %v", dropped, err)
			}
		})
	}
}

// Up to the interval the other replica may go on, and not a moment longer; a
// store that cannot be read stops nothing, since nothing is served without it.
func TestHowLongAnotherReplicaMayUseADroppedKey(t *testing.T) {
	t.Parallel()
	shared := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	clock := clockAt(now)
	here, err := open(t, shared, keyEncryptionKeys, clock)
	must(t, err)
	kept := &failingStore{kept: shared}
	there, err := open(t, kept, keyEncryptionKeys, clock)
	must(t, err)
	token, object := sign(t, here), encryptTo(t, here.PublicKeys())
	drop(t, here, here.Signer(jose.ES256).KeyID())
	drop(t, here, kidAt(t, here, string(jose.ECDHESA256KW), current))
	if !errors.Is(verify(token, here.PublicKeys()), jose.ErrNoKey) || decrypt(object, here) == nil {
		t.Error("the replica that dropped the keys goes on with them")
	}
	must(t, decrypt(encryptTo(t, here.PublicKeys()), here))
	reads := kept.reads
	clock.move(fapi.KeyReadInterval - time.Microsecond)
	must(t, verify(token, there.PublicKeys()))
	must(t, decrypt(object, there))
	if kept.reads != reads {
		t.Errorf("the store was read %d times within the interval", kept.reads-reads)
	}
	kept.fault = errors.New("the network is down")
	clock.move(time.Microsecond)
	must(t, verify(token, there.PublicKeys()))
	kept.fault = nil
	clock.move(fapi.KeyReadInterval)
	if !errors.Is(verify(token, there.PublicKeys()), jose.ErrNoKey) || decrypt(object, there) == nil {
		t.Error("the other replica goes on with the keys")
	}
	for range 100 {
		there.Signer(jose.ES256)
	}
	if kept.reads != reads+2 {
		t.Errorf("the store was read %d times", kept.reads-reads)
	}
}

// A replica that cannot open a new key, since it has not the key encryption key
// yet, still hears that another was dropped, and then serves with none.
func TestAKeyThatDoesNotOpenKeepsNoDroppedOneAlive(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	old, replacement := GenerateKeyEncryptionKey(), GenerateKeyEncryptionKey()
	clock := clockAt(now)
	late, err := open(t, kept, readKeys(t, old), clock)
	must(t, err)
	ready, err := open(t, kept, readKeys(t, replacement, old), clock)
	must(t, err)
	token := sign(t, late)
	drop(t, ready, ready.Signer(jose.ES256).KeyID())
	clock.move(fapi.KeyReadInterval)
	if !errors.Is(verify(token, late.PublicKeys()), jose.ErrNoKey) || late.Signer(jose.ES256) != nil {
		t.Error("a dropped key is in use")
	}
	if late.Signer(jose.PS256) == nil {
		t.Error("a key that was not dropped is not in use")
	}
}

// Of many who drop all keys at once, none hits what replaced them.
func TestReplicasThatDropAtOnceDropNoReplacement(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	clock := clockAt(now)
	var rings [3]*Ring
	for i := range rings {
		ring, err := open(t, kept, keyEncryptionKeys, clock)
		must(t, err)
		rings[i] = ring
	}
	kid := rings[0].Signer(jose.ES256).KeyID()
	var replicas sync.WaitGroup
	for _, ring := range rings {
		replicas.Go(func() {
			if _, err := ring.Drop(t.Context(), kid); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	rows, err := kept.ServerKeys(t.Context())
	must(t, err)
	var left []string
	for _, row := range rows {
		if row.Use == useSignature && row.Algorithm == "ES256" {
			left = append(left, row.ID)
		}
	}
	if difference := cmp.Diff([]string{"sig/ES256/2"}, left); difference != "" {
		t.Errorf("(-want +got):\n%s", difference)
	}
}

// failingAfter fails to read once a key was deleted.
type failingAfter struct{ failingStore }

func (s *failingAfter) DeleteServerKey(ctx context.Context, id string) error {
	s.fault = errors.New("the network is down")
	return s.kept.DeleteServerKey(ctx, id)
}

// A drop of which nobody knows how it ended leaves the key unused, and the next
// user of a key finds out.
func TestADropWithoutAnAnswerUsesTheKeyNoMore(t *testing.T) {
	t.Parallel()
	kept := &failingAfter{failingStore{kept: openStore(t, filepath.Join(t.TempDir(), "store.db"))}}
	ring, err := open(t, kept, readKeys(t, GenerateKeyEncryptionKey()), clockAt(now))
	must(t, err)
	kid := ring.Signer(jose.ES256).KeyID()
	if _, err := ring.Drop(t.Context(), kid); !errors.Is(err, kept.fault) {
		t.Fatalf("got %v", err)
	}
	for _, key := range *ring.opened.Load() {
		if key.public().KeyID() == kid {
			t.Error("the key is in use")
		}
	}
	kept.fault = nil
	if signer := ring.Signer(jose.ES256); signer == nil || signer.KeyID() == kid {
		t.Errorf("%v signs", signer)
	}
}

func TestKeysAreListedWithTheirTimes(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	clock := clockAt(now)
	kept := &failingStore{kept: openStore(t, filepath.Join(t.TempDir(), "store.db"))}
	ring, err := Open(t.Context(), Config{
		Store: kept, KeyEncryptionKeys: readKeys(t, GenerateKeyEncryptionKey()),
		Policy: thirtyDays, Now: clock.now, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	must(t, err)
	first := ring.Signer(jose.ES256).KeyID()
	clock.move(30 * day)
	must(t, ring.Turn(t.Context()))
	listed, err := ring.List(t.Context())
	must(t, err)
	if len(listed) != 2*len(places()) {
		t.Fatalf("%d keys are listed", len(listed))
	}
	var ours []Description
	for _, description := range listed {
		if description.Use == useSignature && description.Algorithm == "ES256" {
			ours = append(ours, description)
		}
	}
	want := []Description{
		{ID: "sig/ES256/1", KeyID: first, Use: "sig", Algorithm: "ES256", State: "current", CreatedAt: now, DoneAt: now.Add(31*day + 2*time.Hour)},
		{ID: "sig/ES256/2", Use: "sig", Algorithm: "ES256", State: "next", CreatedAt: now.Add(30 * day), TakesOverAt: now.Add(30*day + time.Hour), SuccessorAt: now.Add(60 * day)},
	}
	want[1].KeyID = kidAt(t, ring, "ES256", next)
	if difference := cmp.Diff(want, ours); difference != "" {
		t.Errorf("(-want +got):\n%s", difference)
	}
	drop(t, ring, first)
	for _, line := range []string{`msg="server key removed" key=sig/ES256/1`, "kid=" + first + " state=gone"} {
		if strings.Count(log.String(), line) != 1 {
			t.Errorf("%q is not in the log once:\n%s", line, log.String())
		}
	}
	kept.fault = errors.New("the disk is full")
	if _, err := ring.List(t.Context()); !errors.Is(err, kept.fault) {
		t.Errorf("without a store: %v", err)
	}
	if _, err := ring.Drop(t.Context(), first); !errors.Is(err, kept.fault) {
		t.Errorf("without a store: %v", err)
	}
}
