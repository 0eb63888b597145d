package integration

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// tested is a bank whose clients are registered at a whole server.
type tested struct {
	*bank
	whole *fapitest.Server
	ca    string
}

func openTestedBank(t *testing.T) *tested {
	t.Helper()
	b := &tested{bank: openBranch(t, fapi.Limits{}), whole: fapitest.StartServer(t)}
	b.ca = testca.WriteFile(t, t.TempDir(), "ca.crt", b.whole.Authority.PEM())
	b.registrar = b.whole.Registrar
	b.whole.Clock.Run() // The program has the machine's clock.
	b.startOperator(t)
	b.createIssuers(t)
	return b
}

// tries runs kubectl fapi test. Where it shows an address, the person goes there,
// and pastes what comes of it.
func (b *tested) tries(t *testing.T, paste func(t *testing.T, address string) string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := b.pluginCommand(t, append([]string{"test", "--ca", b.ca}, arguments...)...)
	var out bytes.Buffer
	command.Stdout = &out
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	messages, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stderr = converse(t, messages, input, paste)
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), stderr
}

func converse(t *testing.T, messages io.Reader, input io.WriteCloser, paste func(*testing.T, string) string) string {
	t.Helper()
	var all strings.Builder
	for lines := bufio.NewScanner(messages); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "https://") {
			if _, err := io.WriteString(input, paste(t, lines.Text())+"\n"); err != nil {
				t.Error(err)
			}
		}
	}
	return all.String()
}

// browse is what the person does in a browser: log in, and decide.
func (b *tested) browse(person fapitest.Person) func(*testing.T, string) string {
	return func(t *testing.T, address string) string {
		t.Helper()
		browser := (&fapitest.Client{Issuer: b.whole.Issuer, Roots: b.whole.Authority.Pool(), Now: b.whole.Clock.Now}).NewBrowser()
		defer browser.Close()
		page, err := browser.Open(t.Context(), address)
		if err == nil {
			page, err = person.LogIn(t.Context(), browser, page)
		}
		if err == nil {
			page, err = person.Decide(t.Context(), browser, page)
		}
		if err != nil || page.Callback == nil {
			t.Errorf("no way back from the server: %v", err)
			return ""
		}
		return page.Callback.String()
	}
}

func unread(t *testing.T, address string) string {
	t.Helper()
	t.Errorf("a person is sent to %s", address)
	return ""
}

func requireSaid(t *testing.T, what string, code, want int, out, message string, parts ...string) {
	t.Helper()
	words := strings.Join(strings.Fields(out), " ")
	for _, part := range parts {
		if !strings.Contains(words, part) {
			t.Errorf("%s: no %q in\n%s\n%s", what, part, out, message)
		}
	}
	if code != want {
		t.Errorf("%s: exit code %d, want %d:\n%s\n%s", what, code, want, out, message)
	}
}

// shownJWT is more of a JWT than its beginning, which is the same in all of them.
var shownJWT = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}`)

// Every way to authenticate and to bind tokens, with the Secrets that the
// operator keeps.
func TestPluginGoesThroughAWholeFlow(t *testing.T) {
	t.Parallel()
	b := openTestedBank(t)
	for name, spec := range map[string]string{
		"dpop":    dpopSpec,
		"mtls":    tlsSpec,
		"mixed":   merge(t, tlsSpec, `{clientAuthentication: {method: private_key_jwt, signingAlg: PS256}, keys: {source: Managed, managed: {signingAlg: PS256}}}`),
		"signing": merge(t, dpopSpec, `{messageSigning: {requests: Required, responses: Required}, idToken: {encryptedResponseAlg: ECDH-ES}, authorizationResponse: {encryptedResponseAlg: ECDH-ES}, userinfo: {encryptedResponseAlg: ECDH-ES}}`),
	} {
		b.create(t, name, spec)
	}
	for _, name := range []string{"dpop", "mtls", "mixed", "signing"} {
		b.awaitReady(t, name)
		code, out, message := b.tries(t, b.browse(b.whole.Person), name)
		if leaked := shownJWT.FindString(out + message); leaked != "" {
			t.Errorf("%s: a token is shown: %s", name, leaked)
		}
		requireSaid(t, name, code, 0, out, message,
			"1. application: "+b.namespace+"/"+name+" is Ready: client "+b.namespace+"."+name, "2. the client's keys: ", "3. discovery: ",
			"4. pushed authorization request: POST ", "5. authorization: a code has come back", "6. tokens: ", "an ID token, verified, about ~",
			"7. userinfo: GET ", "it tells of the same person", "8. revocation: POST ", "the tokens are revoked, and userinfo refuses the access token")
	}
	administrator := b.whole.PrivateCaller(t, fapitest.AdministratorSAN)
	for _, name := range []string{"dpop", "signing"} { // those with a refresh token
		status, answer, err := b.whole.Private(t, administrator, http.MethodGet, "/administration/grants?client_id="+b.namespace+"."+name)
		if grants, _ := answer["grants"].([]any); err != nil || status != http.StatusOK || len(grants) > 0 {
			t.Errorf("what stays behind of %s: status %d, %v, %v", name, status, answer, err)
		}
	}
}

func TestPluginAsksForATokenOfAMachine(t *testing.T) {
	t.Parallel()
	b := openTestedBank(t)
	b.create(t, "machine", `{grantTypes: [client_credentials], scopes: [accounts], clientAuthentication: {method: private_key_jwt}, keys: {source: Managed}, accessToken: {senderConstraint: DPoP}}`)
	application := b.awaitReady(t, "machine")
	code, out, message := b.tries(t, unread, "machine")
	requireSaid(t, "machine", code, 0, out, message, "4. token: POST ", `of type DPoP (eyJhbG...) for 300 s, scope "accounts"`, "5. revocation: POST ")

	code, out, message = b.tries(t, unread, "machine", "--scope", "payments")
	requireSaid(t, "another scope", code, 1, out, message, "4. token: FAILED: POST ", "400 Bad Request: invalid_scope: ", "what to do: ")

	file := filepath.Join(t.TempDir(), "key.jwk")
	stranger, err := newKey(t).MarshalPrivate()
	if err == nil {
		err = os.WriteFile(file, stranger, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, out, message = b.tries(t, unread, "machine", "--private-jwk", file)
	requireSaid(t, "another key", code, 1, out, message, "2. the client's keys: FAILED: ", "is not registered: the registered ones are "+application.Status.Keys.KeyIDs[0])

	code, out, message = b.tries(t, unread, "machine", "--ca", filepath.Join(b.webhookDir, "tls.crt"))
	requireSaid(t, "another authority", code, 2, out, message, "3. discovery: FAILED: ")

	b.change(t, "machine", func(a *v1alpha1.FAPIApplication) { a.Spec.Scopes = []string{"nobody-offers-this"} })
	b.awaitCondition(t, "machine", v1alpha1.ConditionReady, v1alpha1.ReasonRejectedByServer)
	code, out, message = b.tries(t, unread, "machine")
	requireSaid(t, "refused", code, 1, out, message, "1. application: FAILED: it is not Ready, and waits for: RejectedByServer")
}

// What comes back is believed only as far as it answers what was asked.
func TestPluginTellsWhatIsWrongWithAnAuthorization(t *testing.T) {
	t.Parallel()
	b := openTestedBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	denies := b.whole.Person
	denies.Denies = true
	var first string
	keep := func(t *testing.T, address string) string {
		first = b.browse(b.whole.Person)(t, address)
		return strings.Replace(first, "code=", "codes=", 1)
	}
	for _, test := range []struct {
		name  string
		paste func(*testing.T, string) string
		said  string
		code  int
	}{
		{"no code", keep, "5. authorization: FAILED: the address has no code", 1},
		{"the address of another flow", func(*testing.T, string) string { return first }, "5. authorization: FAILED: the address answers another request", 1},
		{"another server's address", func(*testing.T, string) string {
			return "https://app.example.com/callback?code=x&iss=https://evil.example"
		}, `its iss is "https://evil.example"`, 1},
		{"the person says no", b.browse(denies), "5. authorization: FAILED: 303 See Other: access_denied", 1},
		{"nothing", func(*testing.T, string) string { return "" }, "5. authorization: FAILED: no address was pasted", 2},
	} {
		code, out, message := b.tries(t, test.paste, "planner")
		requireSaid(t, test.name, code, test.code, out, message, test.said)
	}
	code, out, message := b.tries(t, unread, "planner", "--redirect-uri", "https://evil.example/")
	requireSaid(t, "another redirect URI", code, 1, out, message, "4. pushed authorization request: FAILED: POST ", "rule: ", "what to do: ")
}
