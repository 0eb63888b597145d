//go:build pkcs11

package pkcs11

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
	"github.com/fapi-operator/fapi-operator/test/testenv/softhsm"
)

const day = 24 * time.Hour

// installation is a server's keys: a store, a key encryption key, a clock, and a token.
type installation struct {
	config keys.Config
	token  *token
	// objects is the directory without which the token is gone.
	objects string
	log     *bytes.Buffer
	at      *atomic.Int64
}

// install has no keys yet: the first ring makes them.
func install(t *testing.T, softHSM string) installation {
	t.Helper()
	directory := t.TempDir()
	kept, err := sqlite.Open(t.Context(), filepath.Join(directory, "store.db"))
	must(t, err)
	t.Cleanup(func() { must(t, kept.Close()) })
	path := filepath.Join(directory, "key-encryption-key")
	must(t, os.WriteFile(path, []byte(keys.GenerateKeyEncryptionKey()+"\n"), 0o600))
	encryption, err := keys.ReadKeyEncryptionKeys(path)
	must(t, err)
	hsm := softhsm.New(t, softHSM)
	i := installation{token: open(t, settingsOf(hsm)), objects: hsm.Directory, log: &bytes.Buffer{}, at: &atomic.Int64{}}
	i.at.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	i.config = keys.Config{
		Store: kept, KeyEncryptionKeys: encryption, Custodian: i.token,
		Policy: keys.Policy{Interval: 30 * day, Takeover: time.Hour, SignatureRetention: 25 * time.Hour, EncryptionRetention: 26 * time.Hour},
		Now:    func() time.Time { return time.UnixMicro(i.at.Load()).UTC() }, Log: slog.New(slog.NewTextHandler(i.log, nil)),
	}
	return i
}

func (i installation) move(by time.Duration) { i.at.Add(by.Microseconds()) }

func (i installation) ring(t *testing.T) *keys.Ring {
	t.Helper()
	ring, err := keys.Open(t.Context(), i.config)
	must(t, err)
	return ring
}

func (i installation) rows(t *testing.T) []store.ServerKey {
	t.Helper()
	rows, err := i.config.Store.ServerKeys(t.Context())
	must(t, err)
	return rows
}

func (i installation) rowOf(t *testing.T, id string) store.ServerKey {
	t.Helper()
	for _, row := range i.rows(t) {
		if row.ID == id {
			return row
		}
	}
	t.Fatalf("there is no row %s", id)
	return store.ServerKey{}
}

// replace puts a row in the place of the one with its identifier.
func (i installation) replace(t *testing.T, row store.ServerKey) {
	t.Helper()
	must(t, i.config.Store.DeleteServerKey(t.Context(), row.ID))
	must(t, i.config.Store.AddServerKey(t.Context(), row))
}

// inToken counts the private keys in the token.
func (i installation) inToken(t *testing.T) int {
	t.Helper()
	ids, err := i.token.List(t.Context())
	must(t, err)
	return len(ids)
}

// wantInToken also sees that check finds nothing wrong.
func (i installation) wantInToken(t *testing.T, want int) {
	t.Helper()
	if got := i.inToken(t); got != want {
		t.Errorf("%d keys are in the token, want %d", got, want)
	}
	if _, err := keys.Check(t.Context(), i.config.Store, i.config.KeyEncryptionKeys, i.token); err != nil {
		t.Error(err)
	}
}

func kids(ring *keys.Ring) map[jose.SignatureAlgorithm]string {
	kids := map[jose.SignatureAlgorithm]string{}
	for _, alg := range jose.SignatureAlgorithms() {
		kids[alg] = ring.Signer(alg).KeyID()
	}
	return kids
}

func wantVerified(t *testing.T, compact string, ring *keys.Ring) {
	t.Helper()
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	must(t, err)
	if _, err := unverified.Verify(ring.PublicKeys()); err != nil {
		t.Error(err)
	}
}

func TestARestartFindsTheSameKeys(t *testing.T) {
	i := install(t, "")
	first := i.ring(t)
	again := i.ring(t)
	for alg, kid := range kids(first) {
		if again.Signer(alg).KeyID() != kid {
			t.Errorf("another key signs %s", alg)
		}
		compact, err := again.Signer(alg).Sign("JWT", map[string]string{"sub": "alice"})
		must(t, err)
		wantVerified(t, compact, first)
	}
	i.wantInToken(t, 3)
	if len(again.DecryptionKeys()) != len(jose.KeyManagementAlgorithms()) {
		t.Errorf("there are %d decryption keys", len(again.DecryptionKeys()))
	}
}

// A key that is followed verifies until all that it signed has expired. Then its
// row goes, and with it the key in the token.
func TestRotationRemovesKeysFromTheToken(t *testing.T) {
	i := install(t, "")
	ring := i.ring(t)
	old, err := ring.Signer(jose.ES256).Sign("JWT", map[string]string{"sub": "alice"})
	must(t, err)
	before := kids(ring)
	for _, step := range []struct {
		after          time.Duration
		inToken        int
		signs, removed bool
	}{
		{30 * day, 6, true, false},
		{time.Hour, 6, false, false},
		{25*time.Hour - time.Second, 6, false, false},
		{time.Second, 3, false, true},
	} {
		i.move(step.after)
		must(t, ring.Turn(t.Context()))
		i.wantInToken(t, step.inToken)
		for alg, kid := range kids(ring) {
			if (kid == before[alg]) != step.signs {
				t.Errorf("after %s: %s signs %s", step.after, kid, alg)
			}
		}
		if !step.removed {
			wantVerified(t, old, ring)
		}
	}
}

// While the token is away a row waits for its key, so that neither is left behind.
func TestRemovalWaitsForTheToken(t *testing.T) {
	i := install(t, "")
	ring := i.ring(t)
	i.move(30 * day)
	must(t, ring.Turn(t.Context()))
	i.move(29 * day)
	must(t, os.Rename(i.objects, i.objects+".away"))
	rows := len(i.rows(t))
	if err := ring.Turn(t.Context()); err == nil || len(i.rows(t)) != rows {
		t.Errorf("a turn without the token: %v, %d rows of %d are left", err, len(i.rows(t)), rows)
	}
	must(t, os.Rename(i.objects+".away", i.objects))
	eventually(t, func() error { return ring.Turn(t.Context()) })
	i.wantInToken(t, 3)
}

// The next keys are made where the configuration has them, and those of before
// stay where they are.
func TestKeysMoveIntoTheTokenAndBackByRotation(t *testing.T) {
	i := install(t, "")
	inStore := i.config
	inStore.Custodian = nil
	_, err := keys.Open(t.Context(), inStore)
	must(t, err)
	i.wantInToken(t, 0)
	next := func(config keys.Config) *keys.Ring {
		t.Helper()
		i.move(30 * day)
		ring, err := keys.Open(t.Context(), config)
		must(t, err)
		old, err := ring.Signer(jose.PS256).Sign("JWT", map[string]string{"sub": "alice"})
		must(t, err)
		i.move(2 * time.Hour)
		wantVerified(t, old, ring)
		for _, alg := range jose.SignatureAlgorithms() {
			must(t, signAndVerify(ring.Signer(alg)))
		}
		return ring
	}
	ring := next(i.config)
	i.wantInToken(t, 3)
	i.move(2 * day)
	must(t, ring.Turn(t.Context()))
	i.wantInToken(t, 3)

	back := i.config
	back.InStore = jose.SignatureAlgorithms()
	ring = next(back)
	if _, err := keys.Open(t.Context(), inStore); !errors.Is(err, keys.ErrNoCustodian) {
		t.Errorf("a server without the token: %v", err)
	}
	i.move(2 * day)
	must(t, ring.Turn(t.Context()))
	i.wantInToken(t, 0)
	_, err = keys.Open(t.Context(), inStore)
	must(t, err)
}

func TestReplicasThatTurnAtOnceLeaveNothingBehind(t *testing.T) {
	i := install(t, "")
	i.config.Log = slog.New(slog.DiscardHandler)
	var rings [3]*keys.Ring
	for r := range rings {
		rings[r] = i.ring(t)
	}
	for range 3 {
		i.move(30 * day)
		var replicas sync.WaitGroup
		for _, ring := range rings {
			replicas.Go(func() {
				if err := ring.Turn(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		replicas.Wait()
	}
	i.wantInToken(t, 6)
}

// Whoever writes into the database cannot make the server sign with another key.
func TestAForgedRowIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		forge func(*testing.T, installation)
		want  error
	}{
		"another row's": {func(t *testing.T, i installation) {
			row := i.rowOf(t, "sig/ES256/1")
			row.Sealed = i.rowOf(t, "sig/PS256/1").Sealed
			i.replace(t, row)
		}, keys.ErrMisplaced},
		"a reference for a key": {func(t *testing.T, i installation) {
			row := i.rowOf(t, "sig/ES256/1")
			row.Sealed = bytes.Replace(row.Sealed, []byte(`"v":2`), []byte(`"v":1`), 1)
			i.replace(t, row)
		}, keys.ErrTampered},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t, "")
			i.ring(t)
			test.forge(t, i)
			if _, err := keys.Open(t.Context(), i.config); !errors.Is(err, test.want) || !strings.Contains(err.Error(), "sig/ES256/1") {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// Nor can whoever has the token's PIN without the database.
func TestAnotherKeyInTheTokenIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		halves []uint
		want   error
	}{
		"both halves":      {[]uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY}, keys.ErrAnotherKey},
		"the private half": {[]uint{pkcs11.CKO_PRIVATE_KEY}, keys.ErrAnotherKey},
		"the public half":  {[]uint{pkcs11.CKO_PUBLIC_KEY}, keys.ErrAnotherKey},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t, "")
			i.ring(t)
			must(t, i.token.use(func(s session) error {
				var wanted []byte
				for _, class := range test.halves {
					kept, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_LABEL, owner+" sig/ES256/1"))
					must(t, err)
					values, err := s.attributes(kept[0], pkcs11.CKA_ID)
					must(t, err)
					wanted = values[0]
					must(t, s.module.DestroyObject(s.handle, kept[0]))
				}
				s.handles.Delete(string(wanted))
				forged := []byte("forged")
				_, err := s.generate(keyTypes[jose.ES256], forged, owner+" sig/ES256/1")
				must(t, err)
				for _, class := range test.halves {
					handle, err := s.only(class, forged)
					must(t, err)
					must(t, s.module.SetAttributeValue(s.handle, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, wanted)}))
				}
				return nil
			}))
			if _, err := keys.Open(t.Context(), i.config); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

// The server refuses to start, and one that runs signs with the others. Whoever
// drops the key's row gets a new key.
func TestAKeyThatTheTokenLostIsNamedAndMadeAnew(t *testing.T) {
	i := install(t, "")
	ring := i.ring(t)
	must(t, i.token.use(func(s session) error {
		found, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_LABEL, owner+" sig/ES256/1"))
		for _, object := range found {
			must(t, s.module.DestroyObject(s.handle, object))
		}
		return err
	}))
	if err := signAndVerify(ring.Signer(jose.ES256)); !errors.Is(err, keys.ErrNotInCustody) {
		t.Errorf("a lost key: %v", err)
	}
	must(t, signAndVerify(ring.Signer(jose.PS256)))
	if _, err := keys.Open(t.Context(), i.config); !errors.Is(err, keys.ErrNotInCustody) || !strings.Contains(err.Error(), "sig/ES256/1") {
		t.Errorf("a start without a key: %v", err)
	}
	if _, err := keys.Check(t.Context(), i.config.Store, i.config.KeyEncryptionKeys, i.token); !errors.Is(err, keys.ErrNotInCustody) {
		t.Errorf("check: %v", err)
	}
	must(t, i.config.Store.DeleteServerKey(t.Context(), "sig/ES256/1"))
	must(t, signAndVerify(i.ring(t).Signer(jose.ES256)))
	i.wantInToken(t, 3)
}

// A process that was killed between the token and the store leaves a key that
// nothing refers to. It is named, and not destroyed: nothing tells for certain that
// nobody uses it.
func TestALeftKeyIsNamed(t *testing.T) {
	i := install(t, "")
	i.ring(t)
	left, _, err := i.token.Make(t.Context(), jose.ES256, "sig/ES256/2")
	must(t, err)
	_, err = keys.Check(t.Context(), i.config.Store, i.config.KeyEncryptionKeys, i.token)
	if err == nil || !strings.Contains(err.Error(), left) {
		t.Errorf("check: %v, want %s named", err, left)
	}
	i.ring(t)
	if !strings.Contains(i.log.String(), left) {
		t.Errorf("a start does not tell of it:\n%s", i.log)
	}
	if ids, err := i.token.List(t.Context()); err != nil || !slices.Contains(ids, left) {
		t.Errorf("it was destroyed: %v, %v", ids, err)
	}
}

func TestAnAlgorithmThatTheTokenLacksStaysInTheStoreOrIsRefused(t *testing.T) {
	i := install(t, withoutEdDSA)
	if _, err := keys.Open(t.Context(), i.config); err == nil || !strings.Contains(err.Error(), "makes no keys for EdDSA") {
		t.Errorf("a token without EdDSA: %v", err)
	}
	if len(i.rows(t)) > 0 {
		t.Error("keys were made all the same")
	}
	i.config.InStore = []jose.SignatureAlgorithm{jose.EdDSA}
	ring := i.ring(t)
	for _, alg := range jose.SignatureAlgorithms() {
		must(t, signAndVerify(ring.Signer(alg)))
	}
	i.wantInToken(t, 2)
}
