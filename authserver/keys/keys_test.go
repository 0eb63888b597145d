package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { must(t, kept.Close()) })
	return kept
}

func keyFile(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	must(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

func readKeys(t testing.TB, lines ...string) KeyEncryptionKeys {
	t.Helper()
	keys, err := ReadKeyEncryptionKeys(keyFile(t, lines...))
	must(t, err)
	return keys
}

// thirtyDays is a policy as the server has it.
var thirtyDays = Policy{
	Interval: 30 * 24 * time.Hour, Takeover: time.Hour, SignatureRetention: 25 * time.Hour, EncryptionRetention: 26 * time.Hour,
}

// clock stands still until it is set.
type clock struct{ at atomic.Int64 }

func clockAt(at time.Time) *clock {
	c := &clock{}
	c.set(at)
	return c
}

func (c *clock) set(at time.Time)     { c.at.Store(at.UnixMicro()) }
func (c *clock) move(d time.Duration) { c.at.Add(d.Microseconds()) }
func (c *clock) now() time.Time       { return time.UnixMicro(c.at.Load()).UTC() }

func open(t testing.TB, kept store.ServerKeys, keyEncryptionKeys KeyEncryptionKeys, c *clock) (*Ring, error) {
	t.Helper()
	return Open(t.Context(), Config{
		Store: kept, KeyEncryptionKeys: keyEncryptionKeys, Policy: thirtyDays, Now: c.now, Log: slog.New(slog.DiscardHandler),
	})
}

// openRows opens rows of the store without one.
func openRows(keyEncryptionKeys KeyEncryptionKeys, rows ...store.ServerKey) ([]openedKey, error) {
	keys, err := schedule(rows, thirtyDays)
	if err != nil {
		return nil, err
	}
	return (&Ring{config: Config{KeyEncryptionKeys: keyEncryptionKeys}}).openAll(context.Background(), keys)
}

func published(t testing.TB, ring *Ring) string {
	t.Helper()
	set, err := json.Marshal(ring.PublicKeys())
	must(t, err)
	return string(set)
}

func TestOpenMakesAKeyForEachAlgorithmAndFindsItAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	kept := openStore(t, path)
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	ring, err := open(t, kept, keyEncryptionKeys, clockAt(now))
	must(t, err)

	for _, alg := range jose.SignatureAlgorithms() {
		signer := ring.Signer(alg)
		if signer == nil || signer.Algorithm() != alg {
			t.Fatalf("the signer of %s is %v", alg, signer)
		}
		if _, err := signer.Sign("JWT", map[string]string{"sub": "alice"}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	if ring.Signer("none") != nil {
		t.Error("there is a signer for none")
	}
	checkPublished(t, ring)

	again, err := open(t, kept, keyEncryptionKeys, clockAt(now.Add(time.Hour)))
	must(t, err)
	if difference := cmp.Diff(published(t, ring), published(t, again)); difference != "" {
		t.Errorf("a restart changed the keys (-before +after)\n%s", difference)
	}
	for _, alg := range jose.SignatureAlgorithms() {
		if ring.Signer(alg).KeyID() != again.Signer(alg).KeyID() {
			t.Errorf("a restart changed the signer of %s", alg)
		}
	}
	checkNothingPrivate(t, kept, ring, path)
}

func checkPublished(t *testing.T, ring *Ring) {
	t.Helper()
	kids := map[string]bool{}
	for _, key := range ring.PublicKeys().Keys() {
		if key.KeyID() == "" || key.Algorithm() == "" || kids[key.KeyID()] {
			t.Errorf("a key has kid %q, alg %q", key.KeyID(), key.Algorithm())
		}
		if key.Use() != "sig" && key.Use() != "enc" {
			t.Errorf("key %s has use %q", key.KeyID(), key.Use())
		}
		kids[key.KeyID()] = true
	}
	signing, encryption := len(jose.SignatureAlgorithms()), len(jose.KeyManagementAlgorithms())
	if len(kids) != signing+encryption || len(ring.DecryptionKeys()) != encryption {
		t.Errorf("%d keys are published and %d decrypt, want %d and %d", len(kids), len(ring.DecryptionKeys()), signing+encryption, encryption)
	}
	for _, alg := range jose.SignatureAlgorithms() {
		if !ring.PublicKeys().CanVerify(alg) {
			t.Errorf("nothing published verifies %s", alg)
		}
	}
	for _, alg := range jose.KeyManagementAlgorithms() {
		if !ring.PublicKeys().CanEncrypt(alg) {
			t.Errorf("nothing published encrypts %s", alg)
		}
	}
}

// checkNothingPrivate looks for each private member of each key in the published
// set and in the store's files.
func checkNothingPrivate(t *testing.T, kept *sqlite.Store, ring *Ring, path string) {
	t.Helper()
	log, err := os.ReadFile(path + "-wal")
	must(t, err)
	must(t, kept.Close())
	file, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Contains(file, []byte("sig/ES256/1")) {
		t.Fatal("the file does not show the keys' identifiers: this test looks in the wrong place")
	}
	places := map[string][]byte{"log": log, "file": file, "published set": []byte(published(t, ring))}
	for _, secret := range privateMembers(t, ring) {
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		must(t, err)
		for place, content := range places {
			if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, raw) {
				t.Errorf("the %s shows a private member", place)
			}
		}
	}
}

func privateMembers(t *testing.T, ring *Ring) []string {
	t.Helper()
	var keys []interface{ MarshalPrivate() ([]byte, error) }
	for _, key := range *ring.opened.Load() {
		if key.signing != nil {
			keys = append(keys, key.signing)
		} else {
			keys = append(keys, key.decryption)
		}
	}
	var secrets []string
	for _, key := range keys {
		raw, err := key.MarshalPrivate()
		must(t, err)
		var members map[string]any
		must(t, json.Unmarshal(raw, &members))
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			if value, present := members[name].(string); present {
				secrets = append(secrets, value)
			}
		}
	}
	if len(secrets) < len(keys) {
		t.Fatalf("found %d private members of %d keys", len(secrets), len(keys))
	}
	return secrets
}

func TestReplicasThatStartAtOnceAgree(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	keyEncryptionKeys := readKeys(t, GenerateKeyEncryptionKey())
	var rings [3]*Ring
	var errs [3]error
	var replicas sync.WaitGroup
	for i := range rings {
		replicas.Go(func() {
			// Clocks that differ must not matter.
			rings[i], errs[i] = open(t, kept, keyEncryptionKeys, clockAt(now.Add(-time.Duration(i)*time.Minute)))
		})
	}
	replicas.Wait()
	must(t, errors.Join(errs[:]...))
	for _, ring := range rings[1:] {
		if difference := cmp.Diff(published(t, rings[0]), published(t, ring)); difference != "" {
			t.Errorf("two replicas publish different keys\n%s", difference)
		}
	}
}

// row is a sealed ES256 key at a place of its own.
func sealedRow(t *testing.T, keyEncryptionKeys KeyEncryptionKeys, id string) store.ServerKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	must(t, err)
	private, err := key.MarshalPrivate()
	must(t, err)
	row := store.ServerKey{ID: id, Use: "sig", Algorithm: "ES256", CreatedAt: now}
	row.Sealed, err = keyEncryptionKeys.seal(row, sealsPrivateJWK, private)
	must(t, err)
	return row
}

func TestKeyEncryptionKeysRotate(t *testing.T) {
	t.Parallel()
	old, replacement := GenerateKeyEncryptionKey(), GenerateKeyEncryptionKey()
	row := sealedRow(t, readKeys(t, old), "sig/ES256/1")
	both := readKeys(t, replacement, "", old)
	opened, err := openRows(both, row, sealedRow(t, both, "sig/ES256/2"))
	must(t, err)
	if len(opened) != 2 {
		t.Errorf("%d keys opened, want 2", len(opened))
	}
	if _, _, err := readKeys(t, replacement).open(sealedRow(t, both, "sig/ES256/3")); err != nil {
		t.Errorf("the first key of the file did not seal: %v", err)
	}
}

func TestAWrongKeyIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	kept := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	must(t, kept.AddServerKey(t.Context(), sealedRow(t, readKeys(t, GenerateKeyEncryptionKey()), "sig/ES256/1")))
	_, err := open(t, kept, readKeys(t, GenerateKeyEncryptionKey()), clockAt(now))
	if !errors.Is(err, ErrUnknownKeyEncryptionKey) || !strings.Contains(err.Error(), "sig/ES256/1") {
		t.Errorf("got %v, want ErrUnknownKeyEncryptionKey that names the key", err)
	}
	rows, err := kept.ServerKeys(t.Context())
	must(t, err)
	if len(rows) != 1 {
		t.Errorf("%d keys are kept, want the 1 from before", len(rows))
	}
}

func TestWhatDoesNotOpenSaysWhy(t *testing.T) {
	t.Parallel()
	line := GenerateKeyEncryptionKey()
	keys := readKeys(t, line)
	other := sealedRow(t, keys, "sig/ES256/2")
	edit := func(from, to string) func(*store.ServerKey) {
		return func(row *store.ServerKey) {
			edited := bytes.ReplaceAll(row.Sealed, []byte(from), []byte(to))
			if bytes.Equal(edited, row.Sealed) {
				t.Errorf("%q is not in the sealed key", from)
			}
			row.Sealed = edited
		}
	}
	for name, test := range map[string]struct {
		change func(row *store.ServerKey)
		want   error
	}{
		"swapped rows":              {func(row *store.ServerKey) { row.Sealed = other.Sealed }, ErrMisplaced},
		"another use":               {func(row *store.ServerKey) { row.Use = "enc" }, ErrMisplaced},
		"another algorithm":         {func(row *store.ServerKey) { row.Algorithm = "PS256" }, ErrMisplaced},
		"swapped, label forged too": {func(row *store.ServerKey) { row.Sealed = other.Sealed; edit("ES256/2", "ES256/1")(row) }, ErrTampered},
		"ciphertext changed":        {flipCiphertext, ErrTampered},
		"ciphertext removed":        {func(row *store.ServerKey) { row.Sealed = []byte(`{"v":1}`) }, ErrMisplaced},
		"not a sealed key":          {func(row *store.ServerKey) { row.Sealed = []byte("\x00\x01") }, ErrTampered},
		"empty":                     {func(row *store.ServerKey) { row.Sealed = nil }, ErrTampered},
		"key encryption key gone":   {edit(keys.keys[0].id, "AAAAAAAAAAAA"), ErrUnknownKeyEncryptionKey},
	} {
		t.Run(name, func(t *testing.T) {
			row := sealedRow(t, keys, "sig/ES256/1")
			if _, _, err := keys.open(row); err != nil {
				t.Fatal(err)
			}
			test.change(&row)
			if _, err := openRows(keys, row); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func flipCiphertext(row *store.ServerKey) {
	var kept sealed
	if err := json.Unmarshal(row.Sealed, &kept); err != nil {
		panic(err)
	}
	kept.Ciphertext[len(kept.Ciphertext)/2] ^= 1
	row.Sealed, _ = json.Marshal(kept)
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	t.Parallel()
	keys := readKeys(t, GenerateKeyEncryptionKey())
	row := store.ServerKey{ID: "sig/ES256/1", Use: "sig", Algorithm: "ES256"}
	first, err := keys.seal(row, sealsPrivateJWK, []byte("{}"))
	must(t, err)
	second, err := keys.seal(row, sealsPrivateJWK, []byte("{}"))
	must(t, err)
	if bytes.Equal(first, second) {
		t.Error("the nonce repeats")
	}
	if _, err := (KeyEncryptionKeys{}).seal(row, sealsPrivateJWK, nil); err == nil {
		t.Error("a key was sealed under no key")
	}
}

func TestDerivedKeysAreOfTheirKeyAndPurpose(t *testing.T) {
	t.Parallel()
	first, second := GenerateKeyEncryptionKey(), GenerateKeyEncryptionKey()
	derive := func(purpose string, lines ...string) [][]byte {
		derived, err := readKeys(t, lines...).Derive(purpose)
		must(t, err)
		return derived
	}
	both := derive("tea", first, second)
	if len(both) != 2 || len(both[0]) != 32 || bytes.Equal(both[0], both[1]) {
		t.Fatalf("two keys give %d bytes and %d keys", len(both[0]), len(both))
	}
	if again := derive("tea", second, first); !bytes.Equal(again[0], both[1]) || !bytes.Equal(again[1], both[0]) {
		t.Error("another process derives another key, or in another order than the file's")
	}
	if other := derive("coffee", first); bytes.Equal(other[0], both[0]) {
		t.Error("two purposes have one key")
	}
	raw, err := base64.StdEncoding.DecodeString(first)
	must(t, err)
	if bytes.Contains(both[0], raw[:8]) {
		t.Error("the derived key shows the key")
	}
}

func TestReadKeyEncryptionKeysRefuses(t *testing.T) {
	t.Parallel()
	good := GenerateKeyEncryptionKey()
	for name, test := range map[string]struct{ content, says string }{
		"an empty file":   {"", "no key"},
		"blank lines":     {"\n \n", "no key"},
		"text":            {good + "\nhunter2-hunter2!\n", "line 2: not base64"},
		"a short key":     {base64.StdEncoding.EncodeToString(make([]byte, 16)), "line 1: 16 bytes"},
		"a long key":      {base64.StdEncoding.EncodeToString(make([]byte, 64)), "line 1: 64 bytes"},
		"a repeated key":  {good + "\n" + good, "line 2: the key stands in the file twice"},
		"a file too long": {strings.Repeat("A", maxKeyFileBytes+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			path := keyFile(t, test.content)
			_, err := ReadKeyEncryptionKeys(path)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want an error that says %q and names the file", err, test.says)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), good) {
				t.Error("the error shows the line")
			}
		})
	}
	if _, err := ReadKeyEncryptionKeys(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gave %v", err)
	}
}

func TestKeyEncryptionKeysPrintNothingSecret(t *testing.T) {
	t.Parallel()
	line := GenerateKeyEncryptionKey()
	keys := readKeys(t, line)
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v", keys, keys, keys), keys.String()} {
		if strings.Contains(printed, line) || !strings.HasPrefix(printed, "key encryption keys ") {
			t.Errorf("it prints %q", printed)
		}
	}
	path := keyFile(t, line)
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o440: false, 0o644: true} {
		must(t, os.Chmod(path, mode))
		keys, err := ReadKeyEncryptionKeys(path)
		must(t, err)
		if keys.ReadableByOthers() != want {
			t.Errorf("mode %v: readable by others is %t, want %t", mode, keys.ReadableByOthers(), want)
		}
	}
}
