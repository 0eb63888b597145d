package resource

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// A proof is remembered until it expires, however the generations fall, and
// forgotten some time after.
func TestRecentProofs(t *testing.T) {
	t.Parallel()
	const lifetime = 70 * time.Second
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	proofs := newRecentProofs(func() time.Time { return now })
	begun := now
	for second := range 600 {
		now = begun.Add(time.Duration(second) * time.Second)
		if !use(t, proofs, second, now.Add(lifetime)) {
			t.Fatalf("second %d: a fresh proof counts as used", second)
		}
		oldest := max(0, second-int(lifetime/time.Second)+1)
		for _, earlier := range []int{oldest, (oldest + second) / 2, second} {
			if use(t, proofs, earlier, begun.Add(time.Duration(earlier)*time.Second+lifetime)) {
				t.Fatalf("second %d: the proof of second %d was used again", second, earlier)
			}
		}
	}
	if kept, most := len(proofs.younger)+len(proofs.older), 3*int(lifetime/time.Second); kept > most {
		t.Errorf("%d proofs are kept, want %d at the most", kept, most)
	}
}

func use(t *testing.T, proofs *recentProofs, number int, expiresAt time.Time) bool {
	t.Helper()
	fresh, err := proofs.UseOnce(t.Context(), store.SpaceDPoPProof, sha256.Sum256(fmt.Append(nil, number)), expiresAt)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}
