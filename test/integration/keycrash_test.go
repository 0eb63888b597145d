package integration

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// errKilled ends an operator in a test as a kill would: what it was about to do
// is not done, and what it did is not known to it.
var errKilled = errors.New("the operator was killed")

// killer kills the operator at one of its calls to the API server or to the
// authorization server that change something, before the call or after it, and looks
// after each whether what must always be so is so. A call that only reads leaves
// everything as it was before it, so that nobody has to be killed there.
type killer struct {
	w     *workshop
	t     *testing.T
	at    int // which call, from 1; 0: none
	after bool
	calls int
	look  func()
}

func (k *killer) around(do func() error) error {
	k.calls++
	if k.calls == k.at && !k.after {
		panic(errKilled)
	}
	err := do()
	k.look()
	if k.calls == k.at {
		panic(errKilled)
	}
	return err
}

// keysSeen is what a killer has seen of managed keys.
type keysSeen struct {
	*killer
	shown  []string // every key that the Secret has shown
	waited []string // every key that has waited for its registration
}

// see looks whether the Secret's key is registered.
func (k *keysSeen) see() {
	held := k.w.keysHeld(k.t)
	if held.shown != "" && !slices.Contains(held.registered, held.shown) && !slices.Contains(held.revoked, held.shown) {
		k.t.Errorf("call %d: the Secret shows key %s, and registered are %q", k.calls, held.shown, held.registered)
	}
	if held.shown != "" && len(held.encryption) > 0 && !slices.Contains(held.decryption, held.encryption[0]) && !slices.Contains(held.revoked, held.shown) {
		k.t.Errorf("call %d: the server encrypts to %q, and the Secret has %q", k.calls, held.encryption, held.decryption)
	}
	k.shown, k.waited = note(k.shown, held.shown), note(k.waited, held.staged)
}

func note(seen []string, key string) []string {
	if key == "" || slices.Contains(seen, key) {
		return seen
	}
	return append(seen, key)
}

// place puts the killer around every call of the operator that changes something.
func (k *killer) place() {
	k.w.kubeFault = func(verb string, _ client.Object, _ string, do func() error) error {
		if verb == "get" || verb == "list" {
			return do()
		}
		return k.around(do)
	}
	k.w.reconciler.Registrar = disturbedWrites{k.w.reconciler.Registrar, k.around}
}

// run is one life of an operator, which looks at the application; it tells whether it
// was killed.
func (k *killer) run(application string) (killed bool) {
	defer func() {
		if cause := recover(); cause != nil {
			if err, ok := cause.(error); !ok || !errors.Is(err, errKilled) {
				panic(cause)
			}
			killed = true
		}
	}()
	k.calls = 0
	if _, err := k.w.reconcile(k.t, application); err != nil {
		k.t.Errorf("the walk failed: %v", err)
	}
	return false
}

// An operator that is killed at any moment, before or after any call, neither
// makes two keys nor shows one that the server does not hold. That holds for the
// first key, for a rotation, for the end of an overlap, and for a revocation, of
// which it tells nobody before it is done.
func TestOperatorKilledAtAnyMomentNeitherInventsAKeyNorShowsOneThatIsNotRegistered(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the call: %v", after), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at++ {
				if killed := liveThrough(t, at, after); !killed {
					if at < 5 {
						t.Errorf("only %d calls were seen", at)
					}
					return
				}
			}
		})
	}
}

// liveThrough has an operator killed at the call of each step, and then live on;
// it tells whether any step had so many calls.
func liveThrough(t *testing.T, at int, after bool) (killed bool) {
	w := openWorkshop(t)
	w.create(t, "planner", merge(t, rotatingSpec(t), `idToken: {encryptedResponseAlg: ECDH-ES}`))
	k := &keysSeen{killer: &killer{w: w, t: t, after: after}}
	k.look = k.see
	k.place()
	for _, step := range []struct {
		name       string
		prepare    func()
		shown      int // keys that the Secret has ever shown
		registered int
	}{
		{"first key", func() {}, 1, 1},
		{"rotation", func() { w.advance(keyPeriod) }, 2, 2},
		{"end of the overlap", func() { w.advance(keyOverlap) }, 2, 1},
		{"revocation", func() { w.annotate(t, "planner", v1alpha1.RevokeKeyAnnotation, w.keysHeld(t).shown) }, 3, 1},
	} {
		step.prepare()
		k.at = at
		killed = k.run("planner") || killed
		k.at = 0
		k.run("planner")
		held := w.keysHeld(t)
		if len(k.shown) != step.shown || len(held.registered) != step.registered || held.staged != "" || len(k.waited) != step.shown {
			t.Errorf("killed at call %d (after it: %v) of the %s: shown %q, waited %q, now %+v", at, after, step.name, k.shown, k.waited, held)
		}
	}
	return killed
}

// Two operators at once, as when a leader is slow to end, replace a key once.
func TestTwoOperatorsAtOnceRotateOnce(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	seen := []string{}
	for range 12 {
		var operators sync.WaitGroup
		for range 3 {
			operators.Go(func() { _, _ = w.reconcile(t, "planner") })
		}
		operators.Wait()
		w.walk(t, "planner")
		w.walk(t, "planner")
		held := w.keysHeld(t)
		if !slices.Contains(held.registered, held.shown) || held.staged != "" {
			t.Errorf("keys are %+v", held)
		}
		seen = note(seen, held.shown)
		if former := w.get(t, "planner").Status.Keys.Managed.Former; len(former) > 1 {
			t.Errorf("%d keys were replaced at once", len(former))
		}
		w.advance(keyPeriod)
	}
	if len(seen) != 12 {
		t.Errorf("%d keys in 12 periods", len(seen))
	}
}

// A next key that was made for another time does not come back when the Secret is
// deleted on purpose.
func TestKeyOfADeletedSecretDoesNotComeBackFromWhereItWaited(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.create(t, "planner", rotatingSpec(t))
	w.walk(t, "planner")
	w.advance(keyPeriod)
	w.kubeFault = func(verb string, _ client.Object, name string, do func() error) error {
		if verb == "delete" && name == "planner-next-key" {
			return errors.New("the API server is away")
		}
		return do()
	}
	if _, err := w.reconcile(t, "planner"); err == nil {
		t.Fatal("the walk succeeded")
	}
	w.kubeFault = nil
	shown := w.keysHeld(t)
	if shown.staged != shown.shown {
		t.Fatalf("keys are %+v, want one that is shown and still waits", shown)
	}
	if err := w.kube.Delete(t.Context(), w.find(t, "planner-keys")); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	if held := w.keysHeld(t); held.shown == shown.shown || held.staged != "" {
		t.Errorf("the deleted key %s is back: %+v", shown.shown, held)
	}
}
