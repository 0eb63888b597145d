//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// pollInterval is the time between two questions for what cannot be watched; our own choice.
const pollInterval = 500 * time.Millisecond

// patienceToIssue is for cert-manager, which issues about one certificate a second.
const patienceToIssue = 2 * time.Minute

// eventually asks until the answer is yes.
func eventually(t *testing.T, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-limit.C:
			t.Fatalf("within %s it did not come true that %s", patience, what)
		}
	}
}
