package main

import (
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	authorities := testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM())
	address := strings.TrimPrefix(server.Issuer, "https://")
	cases := []struct {
		name      string
		arguments []string
		status    int
		told      string
	}{
		{"the server itself", []string{"--issuer", server.Issuer, "--ca-file", authorities}, 0, "serves its discovery document and its keys"},
		{"by another address", []string{"--issuer", server.Issuer, "--ca-file", authorities, "--connect", address}, 0, "serves"},
		{"a certificate of an unknown CA", []string{"--issuer", server.Issuer}, 1, "certificate signed by unknown authority"},
		{"a certificate for another name", []string{"--issuer", "https://auth.bank.example", "--ca-file", authorities, "--connect", address}, 1, "not auth.bank.example"},
		{"another issuer's document", []string{"--issuer", "https://localhost", "--ca-file", authorities, "--connect", address}, 1, "is that of \"" + server.Issuer},
		{"another path", []string{"--issuer", server.Issuer + "/bank", "--ca-file", authorities}, 1, "404"},
		{"no issuer", nil, 1, "--issuer URL is missing"},
		{"no CA in the file", []string{"--issuer", server.Issuer, "--ca-file", server.ConfigFile}, 1, "holds no certificate"},
		{"too much", []string{"--issuer", server.Issuer, "now"}, 1, "unexpected argument"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			authserver(t, append([]string{"probe"}, c.arguments...)...).wants(t, c.status, c.told)
		})
	}
}
