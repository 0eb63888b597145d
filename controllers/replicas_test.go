package controllers

import (
	"errors"
	"net"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// The message is a part of a sentence, and the same each time for the same cause.
func TestWhoDoesNotServeARevisionIsNamed(t *testing.T) {
	t.Parallel()
	serves := func(name string, revision int64) replicaAnswer {
		return replicaAnswer{name: name, told: registration.Replica{ClientRevision: revision}}
	}
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{Port: 40001}, Err: errors.New("connection refused")}
	for want, answers := range map[string][]replicaAnswer{
		"": {serves("first", 7), serves("second", 8)},
		"replica second serves revision 6 and not yet revision 7":                  {serves("first", 7), serves("second", 6)},
		"replica second did not tell what it serves: dial tcp: connection refused": {serves("first", 7), {name: "second", err: refused}},
		"no replica of the authorization server is ready":                          nil,
	} {
		got := ""
		if err := lacking(answers, 7); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
