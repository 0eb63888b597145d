package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/administration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// administrator is the plug-in as it calls a server's private listener.
type administrator struct {
	server *fapitest.Server
	flags  []string
}

// administer calls the server with a certificate of the name.
func administer(t *testing.T, server *fapitest.Server, name string) administrator {
	t.Helper()
	certificate, key := server.Authority.Issue(t, testca.Leaf{URIs: []string{name}}).Write(t, t.TempDir())
	ca := testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM())
	return administrator{server, []string{"--authserver", "https://" + server.PrivateAddress, "--cert", certificate, "--key", key, "--ca", ca}}
}

func (a administrator) execute(t *testing.T, stdin string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	return execute(t, stdin, append(arguments, a.flags...)...)
}

func (a administrator) grants(t *testing.T, filter ...string) []administration.Grant {
	t.Helper()
	code, out, message := a.execute(t, "", append([]string{"grants", "-o", "json"}, filter...)...)
	var grants []administration.Grant
	if err := json.Unmarshal([]byte(out), &grants); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v, message %s", code, err, message)
	}
	return grants
}

var keyAndDPoP = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}

// login lets the person grant the client access, and gives the access token.
func login(t *testing.T, client *fapitest.Client, person fapitest.Person) string {
	t.Helper()
	_, tokens, err := client.Flow(t.Context(), person)
	if err != nil {
		t.Fatal(err)
	}
	return tokens.AccessToken
}

func TestGrantsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	shop, budget := server.Register(t, "bank.shop", keyAndDPoP).Client, server.Register(t, "bank.budget", keyAndDPoP).Client
	bob := login(t, shop, server.Other)
	alice := login(t, shop, server.Person)
	login(t, budget, server.Person)
	admin := administer(t, server, fapitest.AdministratorSAN)

	if all, budgets := admin.grants(t), admin.grants(t, "--client", "bank.budget"); len(all) != 3 || len(budgets) != 1 || budgets[0].ClientID != "bank.budget" {
		t.Fatalf("grants %+v, of the budget %+v", all, budgets)
	}
	subject := admin.grants(t, "--client", "bank.budget")[0].Subject
	code, out, _ := admin.execute(t, "", "grants", "--subject", subject)
	if code != 0 || strings.Count(out, subject) != 2 || !strings.HasPrefix(out, "GRANT ") {
		t.Errorf("exit code %d, output %s", code, out)
	}

	// Without a yes, nothing ends.
	for _, answer := range []string{"", "no\n", "y\n"} {
		if code, _, message := admin.execute(t, answer, "revoke", "--client", "bank.shop"); code != exitError || !strings.Contains(message, "every grant to the client bank.shop") || len(admin.grants(t)) != 3 {
			t.Errorf("%q: exit code %d, message %s, left %d", answer, code, message, len(admin.grants(t)))
		}
	}
	id := admin.grants(t, "--client", "bank.budget")[0].ID
	if code, out, message := admin.execute(t, "yes\n", "revoke", "--grant", id); code != 0 || !strings.HasPrefix(out, "1 grants, 0 logins") || len(admin.grants(t)) != 2 {
		t.Errorf("exit code %d, output %s, message %s", code, out, message)
	}
	if code, out, message := admin.execute(t, "", "revoke", "--subject", subject, "--yes"); code != 0 || !strings.HasPrefix(out, "1 grants, ") || strings.Contains(out, " 0 logins") {
		t.Errorf("exit code %d, output %s, message %s", code, out, message)
	}
	if _, err := shop.UserInfo(t.Context(), alice); err == nil {
		t.Error("an access token of an ended grant is served")
	}
	if _, err := shop.UserInfo(t.Context(), bob); err != nil {
		t.Errorf("another person's grant has ended: %v", err)
	}
	if code, _, message := admin.execute(t, "", "revoke", "--client", "bank.shop", "--yes"); code != 0 || len(admin.grants(t)) != 0 {
		t.Errorf("exit code %d, message %s, left %+v", code, message, admin.grants(t))
	}
	if _, _, message := admin.execute(t, "", "grants"); message != "no grant is in force\n" {
		t.Errorf("message %q", message)
	}
}

func TestWhoIsNoAdministratorIsToldWhatIsMissing(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	code, out, message := administer(t, server, fapitest.OperatorSAN).execute(t, "", "grants")
	if code != exitError || out != "" || !strings.Contains(message, "caller_not_listed") || !strings.Contains(message, "administratorSANs") {
		t.Errorf("exit code %d, output %q, message %q", code, out, message)
	}
}

func TestServerOfAnotherAuthorityIsNotCalled(t *testing.T) {
	t.Parallel()
	server, other := fapitest.StartServer(t), fapitest.StartServer(t)
	admin := administer(t, server, fapitest.AdministratorSAN)
	admin.flags = append(admin.flags, "--authserver", "https://"+other.PrivateAddress)
	if code, _, message := admin.execute(t, "", "grants"); code != exitError || !strings.Contains(message, "certificate") {
		t.Errorf("exit code %d, message %q", code, message)
	}
}

// The public listener answers in another form; that is told, and not taken for success.
func TestAnotherListenerIsTold(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	admin := administer(t, server, fapitest.AdministratorSAN)
	admin.flags = append(admin.flags, "--authserver", server.Issuer)
	if code, _, message := admin.execute(t, "", "grants"); code != exitError || !strings.HasPrefix(message, "kubectl fapi: the ") {
		t.Errorf("exit code %d, message %q", code, message)
	}
}

func TestWrongUseOfAdministrationIsTold(t *testing.T) {
	t.Parallel()
	for want, arguments := range map[string][]string{
		"say as whom":                  {"grants", "--authserver", "https://localhost:1"},
		"an https URL without a path":  {"grants", "--authserver", "http://localhost", "--cert", "main.go", "--key", "main.go", "--ca", "main.go"},
		"--credentials-secret is NAME": {"grants", "--credentials-secret", "name"},
		"at least one of the flags":    {"revoke"},
		"if any flags in the group":    {"revoke", "--client", "a", "--grant", "b"},
		"is empty":                     {"revoke", "--client", ""},
		"--output is text or json":     {"grants", "-o", "xml"},
		"the administrator's cert":     {"grants", "--authserver", "https://localhost:1", "--cert", "main.go", "--key", "main.go", "--ca", "main.go"},
	} {
		if code, _, message := execute(t, "", arguments...); code != exitError || !strings.Contains(message, want) {
			t.Errorf("%q: exit code %d, message %q, want %q in it", arguments, code, message, want)
		}
	}
}
