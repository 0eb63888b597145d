package integration

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
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
