package controllers

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// A status that repeats the error must not change with every try.
func TestLastingLeavesOutWhatDiffersEachTime(t *testing.T) {
	t.Parallel()
	lost := func(localPort int) error {
		return fmt.Errorf("register: %w", &url.Error{Op: "Put", URL: "https://auth.example.com/clients/bank.app", Err: &net.OpError{
			Op: "read", Net: "tcp",
			Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: localPort},
			Addr:   &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8443},
			Err:    syscall.ECONNRESET,
		}})
	}
	if first, second := lasting(lost(40001)), lasting(lost(40002)); first != second {
		t.Errorf("%q, and the next time %q", first, second)
	}
	tests := []struct {
		err  error
		want string
	}{
		{lost(40001), "read tcp: connection reset by peer."},
		{&url.Error{Op: "Put", URL: "https://auth.example.com", Err: errors.New("certificate has expired")}, "certificate has expired."},
		{errors.New("status 503"), "status 503."},
	}
	for _, test := range tests {
		if got := lasting(test.err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}

func TestNotesFitIntoEvents(t *testing.T) {
	t.Parallel()
	for _, note := range []string{"", "short", strings.Repeat("x", maxNoteBytes), strings.Repeat("x", maxNoteBytes+1), strings.Repeat("ü", maxNoteBytes)} {
		got := shorten(note, maxNoteBytes)
		if len(got) > maxNoteBytes || !utf8.ValidString(got) {
			t.Errorf("%d bytes became %d: %q", len(note), len(got), got)
		}
		if len(note) <= maxNoteBytes && got != note {
			t.Errorf("%q was shortened", note)
		}
	}
}
