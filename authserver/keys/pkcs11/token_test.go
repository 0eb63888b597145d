//go:build pkcs11

package pkcs11

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/pkcs11"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/test/testenv/softhsm"
)

// Tests here run one after another: a process has a module once.

const owner = "https://auth.bank.example"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func settingsOf(made softhsm.Token) Settings {
	return Settings{ModuleFile: softhsm.ModuleFile, TokenLabel: made.Label, PINFile: made.PINFile, Owner: owner}
}

func open(t testing.TB, settings Settings) *token {
	t.Helper()
	opened, err := Open(settings)
	must(t, err)
	t.Cleanup(func() { must(t, opened.Close()) })
	return opened.(*token)
}

// made makes a key of the algorithm.
func made(t testing.TB, custodian keys.Custodian, alg jose.SignatureAlgorithm) (string, *jose.SigningKey) {
	t.Helper()
	id, signer, err := custodian.Make(t.Context(), alg, "sig/"+string(alg)+"/1")
	must(t, err)
	key, err := jose.NewSigningKey(signer, alg, "")
	must(t, err)
	return id, key
}

// signAndVerify verifies with the public half alone, as everybody else does.
func signAndVerify(key *jose.SigningKey) error {
	compact, err := key.Sign("JWT", map[string]string{"sub": "alice"})
	if err != nil {
		return err
	}
	unverified, err := jose.ParseSigned(compact, []jose.SignatureAlgorithm{key.Algorithm()})
	if err != nil {
		return err
	}
	_, err = unverified.Verify(jose.NewKeySet(key.Public()))
	return err
}

func TestKeysOfEveryAlgorithmSignAndAreFoundAgain(t *testing.T) {
	settings := settingsOf(softhsm.New(t, ""))
	first, err := Open(settings)
	must(t, err)
	ids := map[jose.SignatureAlgorithm]string{}
	thumbprints := map[jose.SignatureAlgorithm]string{}
	for _, alg := range jose.SignatureAlgorithms() {
		if !first.Makes(alg) {
			t.Errorf("SoftHSM makes no keys for %s", alg)
		}
		id, key := made(t, first, alg)
		must(t, signAndVerify(key))
		ids[alg], thumbprints[alg] = id, key.Public().Thumbprint()
	}
	must(t, first.Close())

	again := open(t, settings)
	for alg, id := range ids {
		signer, err := again.Find(t.Context(), alg, id)
		must(t, err)
		key, err := jose.NewSigningKey(signer, alg, "")
		must(t, err)
		must(t, signAndVerify(key))
		if key.Public().Thumbprint() != thumbprints[alg] {
			t.Errorf("another key of %s was found", alg)
		}
	}
	if listed, err := again.List(t.Context()); err != nil || len(listed) != len(ids) {
		t.Errorf("listed are %v, %v", listed, err)
	}
	if _, err := again.Find(t.Context(), jose.ES256, ids[jose.EdDSA]); !errors.Is(err, keys.ErrAnotherKey) && err == nil {
		t.Errorf("a key of another algorithm: %v", err)
	}
}

// Nobody reads a private half or uses it for anything but signatures.
func TestPrivateHalvesStayInTheToken(t *testing.T) {
	opened := open(t, settingsOf(softhsm.New(t, "")))
	for _, alg := range jose.SignatureAlgorithms() {
		id, _ := made(t, opened, alg)
		secret := uint(pkcs11.CKA_VALUE)
		if alg == jose.PS256 {
			secret = pkcs11.CKA_PRIVATE_EXPONENT
		}
		must(t, opened.use(func(s session) error {
			found, err := s.find(pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, owner+" sig/"+string(alg)+"/1"))
			must(t, err)
			if len(found) != 1 {
				t.Fatalf("%d keys have the label", len(found))
			}
			if _, err := s.attributes(found[0], secret); !isOneOf(err, pkcs11.CKR_ATTRIBUTE_SENSITIVE) {
				t.Errorf("reading the private half of %s %s: %v", alg, id, err)
			}
			flags := map[uint]byte{
				pkcs11.CKA_SENSITIVE: 1, pkcs11.CKA_ALWAYS_SENSITIVE: 1, pkcs11.CKA_EXTRACTABLE: 0, pkcs11.CKA_NEVER_EXTRACTABLE: 1, pkcs11.CKA_LOCAL: 1,
				pkcs11.CKA_PRIVATE: 1, pkcs11.CKA_SIGN: 1, pkcs11.CKA_DECRYPT: 0, pkcs11.CKA_UNWRAP: 0, pkcs11.CKA_DERIVE: 0,
			}
			for flag, want := range flags {
				values, err := s.attributes(found[0], flag)
				must(t, err)
				if difference := cmp.Diff([]byte{want}, values[0]); difference != "" {
					t.Errorf("attribute 0x%x of %s: %s", flag, alg, difference)
				}
			}
			return nil
		}))
	}
}

func TestADestroyedKeyIsGone(t *testing.T) {
	opened := open(t, settingsOf(softhsm.New(t, "")))
	id, key := made(t, opened, jose.ES256)
	kept, _ := made(t, opened, jose.EdDSA)
	for range 2 { // A key that is gone is no error.
		must(t, opened.Destroy(t.Context(), id))
	}
	must(t, opened.Destroy(t.Context(), ""))
	must(t, opened.Destroy(t.Context(), "no identifier"))
	if err := signAndVerify(key); !errors.Is(err, keys.ErrNotInCustody) {
		t.Errorf("a destroyed key signs: %v", err)
	}
	if _, err := opened.Find(t.Context(), jose.ES256, id); !errors.Is(err, keys.ErrNotInCustody) {
		t.Errorf("a destroyed key is found: %v", err)
	}
	must(t, opened.use(func(s session) error {
		objects, err := s.find()
		if len(objects) != 2 {
			t.Errorf("the token has %d objects, want the 2 of %s", len(objects), kept)
		}
		return err
	}))
}

// What is still under way when the server ends gets an error.
func TestAClosedTokenSignsNothing(t *testing.T) {
	opened, err := Open(settingsOf(softhsm.New(t, "")))
	must(t, err)
	_, key := made(t, opened, jose.ES256)
	must(t, opened.Close())
	if err := signAndVerify(key); !errors.Is(err, errClosed) {
		t.Errorf("a key of a closed token: %v", err)
	}
}

// Whoever deletes a key with the module's own tools leaves this process a handle
// that is of no use.
func TestAKeyDeletedBehindOurBackIsNamed(t *testing.T) {
	opened := open(t, settingsOf(softhsm.New(t, "")))
	id, key := made(t, opened, jose.ES256)
	must(t, signAndVerify(key))
	must(t, opened.use(func(s session) error {
		objects, err := s.find()
		must(t, err)
		for _, object := range objects {
			must(t, s.module.DestroyObject(s.handle, object))
		}
		return nil
	}))
	if err := signAndVerify(key); !errors.Is(err, keys.ErrNotInCustody) || !strings.Contains(err.Error(), id) {
		t.Errorf("a deleted key: %v", err)
	}
	must(t, opened.Ready(t.Context()))
}

func TestOtherServersKeysAreNotListed(t *testing.T) {
	settings := settingsOf(softhsm.New(t, ""))
	other := settings
	other.Owner = owner + "/tenant"
	of, err := Open(other)
	must(t, err)
	made(t, of, jose.ES256)
	must(t, of.Close())
	if listed, err := open(t, settings).List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("listed are %v, %v", listed, err)
	}
}

func TestManySignAtOnce(t *testing.T) {
	opened := open(t, settingsOf(softhsm.New(t, "")))
	var callers sync.WaitGroup
	for _, alg := range jose.SignatureAlgorithms() {
		_, key := made(t, opened, alg)
		for range 2 * maxSessions {
			callers.Go(func() {
				for range 5 {
					if err := signAndVerify(key); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	callers.Wait()
}

func TestWhatDoesNotOpenSaysWhy(t *testing.T) {
	hsm := softhsm.New(t, "")
	wrong := t.TempDir() + "/pin"
	for name, test := range map[string]struct {
		change func(*Settings)
		want   string
	}{
		"no module":       {func(s *Settings) { s.ModuleFile = "/nowhere.so" }, "cannot be loaded"},
		"not a module":    {func(s *Settings) { s.ModuleFile = hsm.PINFile }, "cannot be loaded"},
		"no such token":   {func(s *Settings) { s.TokenLabel = "money" }, `no token with the label "money"`},
		"no PIN file":     {func(s *Settings) { s.PINFile = "/nowhere/pin" }, "/nowhere/pin"},
		"empty PIN":       {func(s *Settings) { s.PINFile = wrong; write(t, wrong, "\n") }, "does not hold a PIN"},
		"two lines":       {func(s *Settings) { s.PINFile = wrong; write(t, wrong, "secret-one\nsecret-two\n") }, "does not hold a PIN"},
		"wrong PIN":       {func(s *Settings) { s.PINFile = wrong; write(t, wrong, "secret-pin\n") }, "is refused: pkcs11: 0xA0: CKR_PIN_INCORRECT"},
		"PIN of no token": {func(s *Settings) { s.PINFile = wrong; write(t, wrong, strings.Repeat("secret", 200)) }, "is refused"},
	} {
		settings := settingsOf(hsm)
		test.change(&settings)
		_, err := Open(settings)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the PIN: %v", name, err)
		}
	}
	opened := open(t, settingsOf(hsm)) // Nothing that failed is in the way.
	if _, err := Open(opened.settings); err == nil || !strings.Contains(err.Error(), "in use in this process") {
		t.Errorf("the module is opened twice: %v", err)
	}
	must(t, opened.Ready(t.Context()))
}

func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

// A token that went away and came back is used again, without a restart.
func TestATokenThatWasLostIsFoundAgain(t *testing.T) {
	hsm := softhsm.New(t, "")
	opened := open(t, settingsOf(hsm))
	_, key := made(t, opened, jose.ES256)
	must(t, signAndVerify(key))
	away := hsm.Directory + ".away"
	must(t, os.Rename(hsm.Directory, away))
	if err := signAndVerify(key); err == nil {
		t.Fatal("a token that is not there signs")
	}
	if err := opened.Ready(t.Context()); err == nil {
		t.Error("a token that is not there is ready")
	}
	must(t, os.Rename(away, hsm.Directory))
	eventually(t, func() error { return opened.Ready(t.Context()) })
	must(t, signAndVerify(key))

	must(t, opened.module.CloseAllSessions(opened.connection.slot))
	eventually(t, func() error { return signAndVerify(key) })
}

// eventually polls: the connection is made anew at most once a second.
func eventually(t testing.TB, holds func() error) {
	t.Helper()
	const deadline, pace = 10 * time.Second, 50 * time.Millisecond
	for end := time.Now().Add(deadline); ; <-time.After(pace) {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// A PIN that was refused is not tried until the token locks itself.
func TestARefusedPINIsTriedOnce(t *testing.T) {
	hsm := softhsm.New(t, "")
	opened := open(t, settingsOf(hsm))
	write(t, hsm.PINFile, "changed by mistake\n")
	must(t, opened.module.Finalize())
	eventually(t, func() error {
		if err := opened.Ready(t.Context()); !isOneOf(err, pkcs11.CKR_PIN_INCORRECT) {
			return errors.Join(errors.New("the wrong PIN was not tried"), err)
		}
		return nil
	})
	eventually(t, func() error {
		err := opened.Ready(t.Context())
		if err == nil || !strings.Contains(err.Error(), "not tried again") {
			return errors.Join(errors.New("the wrong PIN was tried again"), err)
		}
		return nil
	})
	write(t, hsm.PINFile, hsm.PIN+"\n")
	eventually(t, func() error { return opened.Ready(t.Context()) })
}

// withoutEdDSA configures SoftHSM, which takes no notice of the first mechanism of such a list.
const withoutEdDSA = "slots.mechanisms = -CKM_MD5,CKM_EDDSA\n"

func TestATokenThatLacksAnAlgorithmSaysSo(t *testing.T) {
	opened := open(t, settingsOf(softhsm.New(t, withoutEdDSA)))
	for alg, want := range map[jose.SignatureAlgorithm]bool{jose.PS256: true, jose.ES256: true, jose.EdDSA: false} {
		if got := opened.Makes(alg); got != want {
			t.Errorf("%s: %v, want %v", alg, got, want)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	opened := open(b, settingsOf(softhsm.New(b, "")))
	for _, alg := range jose.SignatureAlgorithms() {
		_, key := made(b, opened, alg)
		b.Run(string(alg), func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Sign("JWT", map[string]string{"sub": "alice"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
