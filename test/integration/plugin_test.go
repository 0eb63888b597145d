package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// plugin runs kubectl fapi for the bank's namespace, and gives its exit code and
// what it wrote.
func (b *bank) plugin(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	command := b.pluginCommand(t, arguments...)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errOut.String()
}

func (b *bank) pluginCommand(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), built(t, buildPlugin), append(arguments, "--namespace", b.namespace)...)
	command.Env = append(command.Environ(), "KUBECONFIG="+b.Kubeconfig, "HOME="+programFolder)
	return command
}

func TestPluginDescribesAnApplicationThatIsReady(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	application := b.awaitReady(t, "planner")
	code, out, message := b.plugin(t, "describe", "planner")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, message)
	}
	words := strings.Join(strings.Fields(out), " ")
	for _, part := range []string{
		"Waits for nothing: the client can be used", "Client ID " + b.namespace + ".planner", "Access tokens bound by DPoP, valid for 5m0s",
		"Key IDs " + application.Status.Keys.KeyIDs[0], "Issuer " + issuer, "Normal Registered: ",
	} {
		if !strings.Contains(words, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
}

func TestPluginDescribesWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", strings.Replace(dpopSpec, "{source: Managed}", "{source: SecretRef, secretRef: {name: absent, key: jwks.json}}", 1))
	b.awaitCondition(t, "planner", "Ready", "ReferenceNotFound")
	code, out, message := b.plugin(t, "describe", "planner")
	if code != 0 || !strings.Contains(out, "Waits for           ReferenceNotFound: ") || !strings.Contains(out, "absent") {
		t.Errorf("exit code %d: %s\n%s", code, message, out)
	}
}

func TestPluginTellsOfAnApplicationThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	if code, out, message := b.plugin(t, "describe", "absent"); code != 2 || out != "" || !strings.Contains(message, `"absent" not found`) {
		t.Errorf("exit code %d, output %q, message %q", code, out, message)
	}
}

// An administrator's Secret opens the real server's administration API.
func TestPluginListsGrantsWithCredentialsOfASecret(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}).Client
	if _, _, err := client.Flow(t.Context(), server.Person); err != nil {
		t.Fatal(err)
	}
	certificate, key := server.Authority.Issue(t, testca.Leaf{URIs: []string{fapitest.AdministratorSAN}}).Write(t, t.TempDir())
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "administrator"},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			"tls.crt": readFile(t, certificate), "tls.key": readFile(t, key), "ca.crt": server.Authority.PEM(),
		},
	}
	if err := b.kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	code, out, message := b.plugin(t, "grants", "--authserver", "https://"+server.PrivateAddress, "--credentials-secret", b.namespace+"/administrator")
	if code != 0 || !strings.Contains(out, "bank.shop") {
		t.Errorf("exit code %d, output %q, message %q", code, out, message)
	}
}

func TestPluginTellsOfAServerThatTheClusterDoesNotHave(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "private"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "authserver"}, Ports: []corev1.ServicePort{{Port: 8445}}},
	}
	if err := b.kube.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	credentials := []string{"--cert", b.server.registrar.CertificateFile, "--key", b.server.registrar.KeyFile, "--ca", b.server.registrar.CAFile}
	for name, want := range map[string]string{"absent": `"absent" not found`, "private": "has no pod that is ready"} {
		code, _, message := b.plugin(t, append([]string{"grants", "--service", b.namespace + "/" + name}, credentials...)...)
		if code != 2 || !strings.Contains(message, want) {
			t.Errorf("%s: exit code %d, message %q", name, code, message)
		}
	}
}

func TestPluginHasAKeyRotatedAndWaits(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	before := b.awaitReady(t, "planner").Status.Keys.Managed.KeyID
	code, out, message := b.plugin(t, "rotate-key", "planner", "--wait")
	after := b.get(t, "planner").Status.Keys
	if code != 0 || after.Managed.KeyID == before || !strings.Contains(out, after.Managed.KeyID) || len(after.KeyIDs) != 2 {
		t.Errorf("exit code %d, output %q, message %q, keys %+v after %s", code, out, message, after, before)
	}
	// Once more is once more.
	if code, _, message := b.plugin(t, "rotate-key", "planner", "--wait"); code != 0 || b.get(t, "planner").Status.Keys.Managed.KeyID == after.Managed.KeyID {
		t.Errorf("a second rotation: exit code %d, message %q", code, message)
	}
}

func TestPluginHasAKeyRevokedAndWaits(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	stolen := b.awaitReady(t, "planner").Status.Keys.Managed.KeyID
	if code, _, message := b.plugin(t, "revoke-key", "planner", "--yes"); code != 2 || !strings.Contains(message, "--kid says which key") {
		t.Errorf("without a kid: exit code %d, message %q", code, message)
	}
	// Nobody says yes.
	if code, _, message := b.plugin(t, "revoke-key", "planner", "--kid", stolen); code != 2 || !strings.Contains(message, "nothing was revoked") {
		t.Errorf("exit code %d, message %q", code, message)
	}
	if annotations := b.get(t, "planner").Annotations; len(annotations) > 0 {
		t.Errorf("annotations %v", annotations)
	}
	code, out, message := b.plugin(t, "revoke-key", "planner", "--kid", stolen, "--yes", "--wait")
	after := b.get(t, "planner").Status.Keys
	if code != 0 || slices.Contains(after.KeyIDs, stolen) || !slices.Contains(after.Managed.Revoked, stolen) || !strings.Contains(out, after.Managed.KeyID) {
		t.Errorf("exit code %d, output %q, message %q, keys %+v", code, out, message, after)
	}
	if code, _, message := b.plugin(t, "revoke-key", "planner", "--kid", stolen, "--yes"); code != 0 || !strings.Contains(message, "was revoked before") {
		t.Errorf("a second time: exit code %d, message %q", code, message)
	}
	if code, _, message := b.plugin(t, "revoke-key", "planner", "--kid", "-mistyped", "--yes"); code != 2 || !strings.Contains(message, `no key "-mistyped"`) {
		t.Errorf("a mistyped kid that begins as one in base64url may: exit code %d, message %q", code, message)
	}
}

func TestPluginSaysWhatARotationWaitsFor(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.server.stop(t)
	code, _, message := b.plugin(t, "rotate-key", "planner", "--wait", "--timeout", "3s")
	if code != 2 || !strings.Contains(message, "is asked for and not done") {
		t.Errorf("exit code %d, message %q", code, message)
	}
	b.server.start(t)
}

func TestPluginRotatesNoKeyThatIsNotManaged(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", strings.Replace(dpopSpec, "{source: Managed}", `{source: JWKSURI, jwksURI: "https://app.example.com/jwks"}`, 1))
	if code, _, message := b.plugin(t, "rotate-key", "planner"); code != 2 || !strings.Contains(message, "is not Managed") {
		t.Errorf("exit code %d, message %q", code, message)
	}
}

// plan runs the plug-in on a manifest of the bank's namespace.
func (b *bank) plan(t *testing.T, name, spec string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	document, err := yaml.Marshal(b.application(name, spec).Spec)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.ReplaceAll(strings.TrimSpace(string(document)), "\n", "\n  ")
	manifest := fmt.Sprintf("apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIApplication\nmetadata: {name: %s}\nspec:\n  %s\n", name, lines)
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	return b.plugin(t, append([]string{"plan", "-f", file}, arguments...)...)
}

func TestPluginPlansWhatAChangeBreaksAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	if code, out, message := b.plan(t, "planner", dpopSpec); code != 0 || out != b.namespace+"/planner: would be created\n" {
		t.Errorf("new: exit code %d, output %q, message %q", code, out, message)
	}
	b.create(t, "planner", dpopSpec)
	before := b.awaitReady(t, "planner")
	if code, out, message := b.plan(t, "planner", dpopSpec); code != 0 || !strings.Contains(out, "would change nothing") {
		t.Errorf("the same: exit code %d, output %q, message %q", code, out, message)
	}
	narrower := strings.NewReplacer("https://app.example.com/callback", "https://app.example.com/other", "[openid, accounts]", "[openid]").Replace(dpopSpec)
	code, out, message := b.plan(t, "planner", narrower)
	for _, part := range []string{
		"/planner: would be changed\n", "    - https://app.example.com/callback\n", "    + https://app.example.com/other\n", "    - accounts\n",
		"    ! authorization requests that name the redirect URI https://app.example.com/callback are refused\n", "was not asked",
	} {
		if code != 1 || !strings.Contains(out, part) {
			t.Errorf("exit code %d, message %q, no %q in\n%s", code, message, part, out)
		}
	}
	if after := b.get(t, "planner"); after.Generation != before.Generation || after.ResourceVersion != before.ResourceVersion {
		t.Error("a plan has changed the application")
	}
}

func TestPluginShowsAdmissionsVerdictOnAPlan(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	for name, test := range map[string]struct{ spec, want string }{
		"rule book":    {strings.Replace(dpopSpec, "private_key_jwt", "client_secret_basic", 1), "FAPI2-SP-FINAL-5.3.2.1-6"},
		"immutability": {dpopSpec + "clientID: " + b.namespace + ".other\n", "clientID cannot be added, changed or removed"},
		"schema":       {dpopSpec + "deletionPolicy: Keep\n", "spec.deletionPolicy"},
	} {
		if code, out, message := b.plan(t, "planner", test.spec); code != 1 || !strings.Contains(out, "would be refused") || !strings.Contains(strings.Join(strings.Fields(out), " "), test.want) {
			t.Errorf("%s: exit code %d, message %q, output %s", name, code, message, out)
		}
	}
	if code, out, _ := b.plan(t, "planner", strings.Replace(dpopSpec, "{senderConstraint: DPoP}", "{senderConstraint: DPoP, lifetime: 30m}", 1)); code != 0 || !strings.Contains(out, "warning: spec.accessToken.lifetime") {
		t.Errorf("exit code %d, output %s", code, out)
	}
}

// Strict field validation finds what the API server would drop.
func TestPluginPlansNoUnknownField(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	manifest := "apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIApplication\nmetadata: {name: planner}\nspec:\n  redirectUris: []\n  grantTypes: [client_credentials]\n  clientAuthentication: {method: private_key_jwt}\n  keys: {source: Managed}\n"
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, message := b.plugin(t, "plan", "-f", file); code != 1 || !strings.Contains(out, `unknown field "spec.redirectUris"`) {
		t.Errorf("exit code %d, message %q, output %s", code, message, out)
	}
}

// The operator, or anybody else, writes while a plan is made.
func TestPluginPlansWhileOthersWrite(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {"example.com/count": "%d"}}}`, i))
			_ = b.kube.Patch(writing, b.application("planner", dpopSpec), patch) // The last one may be cut off.
		}
	})
	for range 5 {
		if code, out, message := b.plan(t, "planner", dpopSpec); code != 0 {
			t.Errorf("exit code %d, message %q, output %s", code, message, out)
		}
	}
	stop()
	writer.Wait()
}

func TestPluginCountsTheGrantsThatAPlanTouches(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	server := fapitest.StartServer(t)
	client := server.Register(t, b.namespace+".planner", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}).Client
	if _, _, err := client.Flow(t.Context(), server.Person); err != nil {
		t.Fatal(err)
	}
	certificate, key := server.Authority.Issue(t, testca.Leaf{URIs: []string{fapitest.AdministratorSAN}}).Write(t, t.TempDir())
	ca := testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM())
	b.create(t, "planner", dpopSpec)
	code, out, message := b.plan(t, "planner", strings.Replace(dpopSpec, "[openid, accounts]", "[accounts]", 1),
		"--authserver", "https://"+server.PrivateAddress, "--cert", certificate, "--key", key, "--ca", ca)
	if code != 1 || !strings.Contains(strings.Join(strings.Fields(out), " "), "the scope openid cannot be asked for, and no access token has it from the next refresh on: 1 of 1 grants in force are touched") {
		t.Errorf("exit code %d, message %q, output %s", code, message, out)
	}
}
