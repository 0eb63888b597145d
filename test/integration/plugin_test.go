package integration

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// pluginFolder holds the program that buildPlugin makes for all tests.
var pluginFolder string

var buildPlugin = sync.OnceValues(func() (string, error) {
	path := filepath.Join(pluginFolder, "kubectl-fapi")
	build := exec.Command("go", "build", "-o", path, "./cmd/kubectl-fapi")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(output))
	}
	return path, nil
})

// plugin runs kubectl fapi for the bank's namespace, and gives its exit code and
// what it wrote.
func (b *bank) plugin(t *testing.T, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	program, err := buildPlugin()
	if err != nil {
		t.Fatalf("build the plug-in: %v", err)
	}
	command := exec.CommandContext(t.Context(), program, append(arguments, "--namespace", b.namespace)...)
	command.Env = append(command.Environ(), "KUBECONFIG="+b.Kubeconfig, "HOME="+pluginFolder)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), out.String(), errOut.String()
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
	// Nobody says yes.
	if code, _, message := b.plugin(t, "revoke-key", "planner", stolen); code != 2 || !strings.Contains(message, "nothing was revoked") {
		t.Errorf("exit code %d, message %q", code, message)
	}
	if annotations := b.get(t, "planner").Annotations; len(annotations) > 0 {
		t.Errorf("annotations %v", annotations)
	}
	code, out, message := b.plugin(t, "revoke-key", "planner", stolen, "--yes", "--wait")
	after := b.get(t, "planner").Status.Keys
	if code != 0 || slices.Contains(after.KeyIDs, stolen) || !slices.Contains(after.Managed.Revoked, stolen) || !strings.Contains(out, after.Managed.KeyID) {
		t.Errorf("exit code %d, output %q, message %q, keys %+v", code, out, message, after)
	}
	if code, _, message := b.plugin(t, "revoke-key", "planner", stolen, "--yes"); code != 0 || !strings.Contains(message, "was revoked before") {
		t.Errorf("a second time: exit code %d, message %q", code, message)
	}
	if code, _, message := b.plugin(t, "revoke-key", "planner", "mistyped", "--yes"); code != 2 || !strings.Contains(message, `no key "mistyped"`) {
		t.Errorf("a mistyped kid: exit code %d, message %q", code, message)
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
