package keys

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// message is what was signed, or encrypted, and until when somebody may open it.
type message struct {
	compact string
	until   time.Time
	opened  bool
}

// party is a relying party with a cached key set.
type party struct {
	known     *jose.KeySet
	fetchedAt time.Time
}

// keySet is fetched again when the cache is older than it may be.
func (p *party) keySet(from *Ring, at time.Time) *jose.KeySet {
	if p.known == nil || !at.Before(p.fetchedAt.Add(fapi.KeySetMaxAge)) {
		p.known, p.fetchedAt = from.PublicKeys(), at
	}
	return p.known
}

// Two replicas turn for a year at their own pace. A relying party that caches the
// key set, fetched from one of them, verifies whatever the other one signs, for as
// long as it lives; what it encrypts opens at either, for as long as that lives.
func TestNobodyMissesAKeyInAYear(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	clock := clockAt(now)
	one, err := open(t, kept, keyEncryptionKeys, clock)
	must(t, err)
	other, err := open(t, kept, keyEncryptionKeys, clock)
	must(t, err)
	var relying party
	var tokens, objects []message
	signers := map[string]bool{}
	for step := 0; clock.now().Before(now.Add(365 * day)); step++ {
		clock.move(pace(one, clock.now()))
		at := clock.now()
		must(t, one.Turn(t.Context()))
		if step%7 == 0 { // Half an hour late.
			must(t, other.Turn(t.Context()))
		}
		signer := other.Signer(jose.ES256)
		signers[signer.KeyID()] = true
		token, err := signer.Sign("JWT", map[string]string{"sub": "alice"})
		must(t, err)
		tokens = append(tokens, message{compact: token, until: at.Add(time.Hour)})
		objects = append(objects, message{compact: encryptTo(t, relying.keySet(one, at)), until: at.Add(time.Hour)})
		tokens = openEach(t, tokens, at, func(token string) error {
			return errors.Join(verify(token, relying.keySet(one, at)), verify(token, one.PublicKeys()), verify(token, other.PublicKeys()))
		})
		objects = openEach(t, objects, at, func(object string) error {
			return errors.Join(decrypt(object, one), decrypt(object, other))
		})
	}
	if len(signers) != 13 {
		t.Errorf("%d keys signed in a year, want 13", len(signers))
	}
	rows, err := kept.ServerKeys(t.Context())
	must(t, err)
	if len(rows) > 2*len(places()) {
		t.Errorf("%d keys are kept", len(rows))
	}
}

// fine is shorter than a key set is cached.
const fine = 4 * time.Minute

// pace is fine within two hours of a change, and coarse where nothing happens.
func pace(ring *Ring, at time.Time) time.Duration {
	quiet := 30 * day
	for _, key := range *ring.opened.Load() {
		for _, change := range []time.Time{key.row.CreatedAt.Add(thirtyDays.Interval), key.takesOver, key.doneAt} {
			if until := change.Sub(at); until > -2*time.Hour {
				quiet = min(quiet, until-2*time.Hour)
			}
		}
	}
	return max(quiet, fine)
}

func encryptTo(t *testing.T, keys *jose.KeySet) string {
	t.Helper()
	var fit []jose.PublicKey
	for _, key := range keys.Keys() {
		if key.CanEncrypt(jose.ECDHESA256KW) {
			fit = append(fit, key)
		}
	}
	if len(fit) != 1 {
		t.Fatalf("%d published keys are for %s, want 1", len(fit), jose.ECDHESA256KW)
	}
	object, err := jose.Encrypt([]byte("object"), "JWT", fit[0], jose.ECDHESA256KW, jose.A256GCM)
	must(t, err)
	return object
}

func verify(token string, keys *jose.KeySet) error {
	unverified, err := jose.ParseSigned(token, jose.SignatureAlgorithms())
	if err != nil {
		return err
	}
	_, err = unverified.Verify(keys)
	return err
}

func decrypt(object string, ring *Ring) error {
	_, err := jose.Decrypt(object, ring.DecryptionKeys(), jose.KeyManagementAlgorithms(), jose.ContentEncryptions())
	return err
}

// openEach opens each message as soon as it can and as late as it may, and gives
// those that live on.
func openEach(t *testing.T, messages []message, at time.Time, open func(string) error) []message {
	t.Helper()
	var living []message
	for _, message := range messages {
		if !at.Before(message.until) {
			continue
		}
		if last := !at.Add(fine).Before(message.until); last || !message.opened {
			if err := open(message.compact); err != nil {
				t.Fatalf("%s, %s before the end: %v", at, message.until.Sub(at), err)
			}
		}
		message.opened = true
		living = append(living, message)
	}
	return living
}

func TestSigningKeyIsPublishedBeforeItSignsAndAfter(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	clock := clockAt(now)
	ring, err := open(t, kept, readKeys(t, GenerateKeyEncryptionKey()), clock)
	must(t, err)
	first := ring.Signer(jose.PS256).KeyID()
	var second string
	for _, moment := range []struct {
		at                 time.Duration
		signing, encrypted int // published keys of one algorithm
		decrypting         int
		secondSigns        bool
	}{
		{30*day - time.Second, 1, 1, 1, false},
		{30 * day, 2, 1, 2, false},
		{30*day + time.Hour - time.Second, 2, 1, 2, false},
		{30*day + time.Hour, 2, 1, 2, true},
		{31*day + 2*time.Hour - time.Second, 2, 1, 2, true},
		{31*day + 2*time.Hour, 1, 1, 2, true},
		{31*day + 3*time.Hour, 1, 1, 1, true},
	} {
		clock.set(now.Add(moment.at))
		must(t, ring.Turn(t.Context()))
		var signing, encrypted []string
		for _, key := range ring.PublicKeys().Keys() {
			switch key.Algorithm() {
			case "PS256":
				signing = append(signing, key.KeyID())
			case "RSA-OAEP-256":
				encrypted = append(encrypted, key.KeyID())
			}
		}
		decrypting := len(ring.DecryptionKeys()) / len(jose.KeyManagementAlgorithms())
		got := []int{len(signing), len(encrypted), decrypting}
		if difference := cmp.Diff([]int{moment.signing, moment.encrypted, moment.decrypting}, got); difference != "" {
			t.Errorf("after %s: signing, encryption, decryption keys (-want +got):\n%s", moment.at, difference)
		}
		signer := ring.Signer(jose.PS256).KeyID()
		if moment.secondSigns != (signer != first) || signing[0] != signer {
			t.Errorf("after %s: %s signs, first is %s, published are %v", moment.at, signer, first, signing)
		}
		second = signer
	}
	if second == first {
		t.Error("the key did not change")
	}
}

// The time alone decides who signs: a loop that is late, or a store that fails,
// delays no takeover and stops no signature.
func TestKeysTakeOverWithoutATurn(t *testing.T) {
	t.Parallel()
	kept := &failingStore{kept: openStore(t, filepath.Join(t.TempDir(), "store.db"))}
	clock := clockAt(now)
	ring, err := open(t, kept, readKeys(t, GenerateKeyEncryptionKey()), clock)
	must(t, err)
	first := ring.Signer(jose.ES256)
	clock.move(30 * day)
	must(t, ring.Turn(t.Context()))
	kept.fault = errors.New("the disk is full")
	if err := ring.Turn(t.Context()); !errors.Is(err, kept.fault) {
		t.Fatalf("a turn without a store: %v", err)
	}
	if ring.Signer(jose.ES256) != first {
		t.Error("the next key signs too early")
	}
	clock.move(time.Hour)
	if signer := ring.Signer(jose.ES256); signer == nil || signer == first {
		t.Error("the next key did not take over")
	}
	clock.move(400 * day)
	if ring.Signer(jose.ES256) == nil || ring.PublicKeys().Len() != len(places()) || len(ring.DecryptionKeys()) == 0 {
		t.Error("without a store there is no key in the end")
	}
}

// failingStore fails when told to, and counts how often it is read.
type failingStore struct {
	kept  store.ServerKeys
	fault error
	reads int
}

func (s *failingStore) ServerKeys(ctx context.Context) ([]store.ServerKey, error) {
	s.reads++
	if s.fault != nil {
		return nil, s.fault
	}
	return s.kept.ServerKeys(ctx)
}

func (s *failingStore) AddServerKey(ctx context.Context, key store.ServerKey) error {
	return s.kept.AddServerKey(ctx, key)
}

func (s *failingStore) DeleteServerKey(ctx context.Context, id string) error {
	return s.kept.DeleteServerKey(ctx, id)
}

// A replica meets a key that another one made a moment ago: it reads the store
// again, but not for every stranger's invention.
func TestAnUnknownKeyIsLookedForAtABoundedRate(t *testing.T) {
	t.Parallel()
	shared := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	clock := clockAt(now)
	one, err := open(t, shared, keyEncryptionKeys, clock)
	must(t, err)
	kept := &failingStore{kept: shared}
	other, err := open(t, kept, keyEncryptionKeys, clock)
	must(t, err)
	drop(t, one, one.Signer(jose.ES256).KeyID())
	kid := one.Signer(jose.ES256).KeyID()
	if knows(other.PublicKeys(), kid) {
		t.Fatal("this test shows nothing: the key is known already")
	}
	before := kept.reads
	if !knows(other.RefreshedPublicKeys(), kid) {
		t.Error("the store was not read again")
	}
	for range 100 {
		other.RefreshedDecryptionKeys(t.Context())
	}
	if kept.reads != before+1 {
		t.Errorf("the store was read %d times", kept.reads-before)
	}
	kept.fault = errors.New("the disk is full")
	for range 3 {
		clock.move(fapi.KeyRefreshInterval)
		if !knows(other.RefreshedPublicKeys(), kid) {
			t.Error("a store that fails makes known keys unknown")
		}
	}
	if kept.reads != before+4 {
		t.Errorf("a store that fails was read %d times", kept.reads-before-1)
	}
}

func knows(set *jose.KeySet, kid string) bool {
	return slices.ContainsFunc(set.Keys(), func(key jose.PublicKey) bool { return key.KeyID() == kid })
}

// Replicas whose turn comes at once make one key of each generation.
func TestReplicasThatTurnAtOnceAgree(t *testing.T) {
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
	for range 3 {
		clock.move(30 * day)
		var replicas sync.WaitGroup
		for _, ring := range rings {
			replicas.Go(func() {
				if err := ring.Turn(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
		for _, ring := range rings[1:] {
			if difference := cmp.Diff(published(t, rings[0]), published(t, ring)); difference != "" {
				t.Errorf("two replicas publish different keys\n%s", difference)
			}
		}
	}
	rows, err := kept.ServerKeys(t.Context())
	must(t, err)
	if len(rows) != 2*len(places()) {
		t.Errorf("%d keys are kept, want a current and a next one for each of %d algorithms", len(rows), len(places()))
	}
}

// Once all keys have been made anew, the key encryption key of before opens
// nothing any more, and may leave the file.
func TestRotationFreesTheOldKeyEncryptionKey(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	old, replacement := GenerateKeyEncryptionKey(), GenerateKeyEncryptionKey()
	clock := clockAt(now)
	_, err := open(t, kept, readKeys(t, old), clock)
	must(t, err)
	both, err := open(t, kept, readKeys(t, replacement, old), clock)
	must(t, err)
	if _, err := open(t, kept, readKeys(t, replacement), clock); !errors.Is(err, ErrUnknownKeyEncryptionKey) {
		t.Fatalf("the keys of before opened without their key: %v", err)
	}
	for _, later := range []time.Duration{30 * day, 2 * day} {
		clock.move(later)
		must(t, both.Turn(t.Context()))
	}
	ring, err := open(t, kept, readKeys(t, replacement), clock)
	must(t, err)
	if difference := cmp.Diff(published(t, both), published(t, ring)); difference != "" {
		t.Error(difference)
	}
}

func TestTransitionsAreLoggedOnceAndCounted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	clock := clockAt(now)
	ring, err := Open(t.Context(), Config{
		Store: openStore(t, filepath.Join(t.TempDir(), "store.db")), KeyEncryptionKeys: readKeys(t, GenerateKeyEncryptionKey()),
		Policy: thirtyDays, Now: clock.now, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	must(t, err)
	for _, later := range []time.Duration{30 * day, 0, time.Hour, time.Minute, 2 * day, time.Minute} {
		clock.move(later)
		must(t, ring.Turn(t.Context()))
	}
	for line, want := range map[string]int{
		`msg="server key made" key=sig/ES256/1`: 1, `msg="server key made" key=sig/ES256/2`: 1, `msg="server key removed" key=sig/ES256/1`: 1,
		`key=sig/ES256/1 kid=`: 2, `key=sig/ES256/2 kid=`: 2, "state=previous": len(places()), "state=next": len(places()),
	} {
		if got := strings.Count(log.String(), line); got != want {
			t.Errorf("%q is logged %d times, want %d\n%s", line, got, want, log.String())
		}
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(ring)
	age := (2*day + time.Hour + 2*time.Minute).Seconds()
	if got := gauge(t, registry, "authserver_server_key_age_seconds", "ES256", ""); got != age {
		t.Errorf("the key is %v s old, want %v", got, age)
	}
	for state, want := range map[string]float64{"next": 0, "current": 1, "previous": 0} {
		if got := gauge(t, registry, "authserver_server_keys", "ES256", state); got != want {
			t.Errorf("%v keys are %s, want %v", got, state, want)
		}
	}
}

// gauge gives the value of a series.
func gauge(t *testing.T, registry *prometheus.Registry, name, algorithm, state string) float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetName() == name && labels["algorithm"] == algorithm && labels["state"] == state {
				return metric.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %s %s", name, algorithm, state)
	return 0
}
