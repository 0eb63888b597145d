package interaction

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestASourceThatTriesManyNamesIsThrottled(t *testing.T) {
	t.Parallel()
	throttle, now := NewThrottle(), time.Unix(1_800_000_000, 0)
	for i := range sourceBurst {
		if wait := throttle.attempt("192.0.2.1", fmt.Sprint("name", i), now); wait != 0 {
			t.Fatalf("try %d has to wait %v", i+1, wait)
		}
	}
	if wait := throttle.attempt("192.0.2.1", "another", now); wait != sourceEvery {
		t.Errorf("wait = %v, want %v", wait, sourceEvery)
	}
	if wait := throttle.attempt("192.0.2.2", "another", now); wait != 0 {
		t.Errorf("another source has to wait %v", wait)
	}
	if wait := throttle.attempt("192.0.2.1", "another", now.Add(sourceEvery)); wait != 0 {
		t.Errorf("after the wait there is another: %v", wait)
	}
}

// Successful logins cost nothing, however many there are.
func TestSuccessIsForgiven(t *testing.T) {
	t.Parallel()
	throttle, now := NewThrottle(), time.Unix(1_800_000_000, 0)
	for i := range 3 * sourceBurst {
		if wait := throttle.attempt("192.0.2.1", alice, now); wait != 0 {
			t.Fatalf("login %d has to wait %v", i+1, wait)
		}
		throttle.forgive("192.0.2.1", alice)
	}
}

func TestPeerSource(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1:1234":              "192.0.2.1",
		"[::ffff:192.0.2.1]:1234":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1234": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1234":         "fe80::/64",
		"@":                           "@",
	} {
		if got := peerSource(&http.Request{RemoteAddr: address}); got != want {
			t.Errorf("%s: source %q, want %q", address, got, want)
		}
	}
}
