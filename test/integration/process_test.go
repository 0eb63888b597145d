package integration

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// The program itself, with nothing but its flags, and its graceful end.
func TestOperatorProgramBringsAnApplicationToReady(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	program := b.startProgram(t, b.flags(t, "--key-encryption-key-secret="+b.namespace+"/"+keySecret)...)
	b.installWebhook(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	requireKeyEncryptionKey(t, b.secret(t, keySecret))

	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err != nil {
		t.Errorf("the operator ended: %v\n%s", err, program.Stderr)
	}
	requireOneThread(t, b.get(t, "planner"), fmt.Sprint(program.Stderr), b.server.audit.String())
}

// requireOneThread: admission, registration and the server's audit log name the
// change alike.
func requireOneThread(t *testing.T, application *v1alpha1.FAPIApplication, operator, server string) {
	t.Helper()
	id := fmt.Sprintf("%s.%d", application.UID, application.Generation)
	for _, log := range []struct{ text, message, attribute string }{
		{operator, `"msg":"the application is admitted"`, `"correlationID":"` + id + `"`},
		{operator, `"msg":"the client is registered"`, `"correlationID":"` + id + `"`},
		{server, `"msg":"client registered"`, `"correlation_id":"` + id + `"`},
	} {
		if !slices.ContainsFunc(strings.Split(log.text, "\n"), func(line string) bool {
			return strings.Contains(line, log.message) && strings.Contains(line, log.attribute)
		}) {
			t.Errorf("no line has %s and %s:\n%s", log.message, log.attribute, log.text)
		}
	}
}

// No address of a real replica can be reached here: the program says so, of the
// server and of the client that is held and that nobody is known to serve.
func TestOperatorProgramReportsThatNoReplicaServes(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.startProgram(t, b.flags(t, "--fapi-server="+b.namespace, "--private-service="+b.namespace+"/"+privateService)...)
	b.installWebhook(t)
	b.create(t, "planner", dpopSpec)
	b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonNotServed)
	b.requireClient(t, b.namespace+".planner")
	b.awaitReport(t, v1alpha1.ConditionReady, v1alpha1.ReasonNoReadyReplica)
}

// flags are those of the bank's operator, and more.
func (b *bank) flags(t *testing.T, more ...string) []string {
	t.Helper()
	b.webhookPort = fapitest.FreePort(t)
	return append(more,
		"--installation="+installation,
		"--namespaces="+b.namespace,
		"--registrar-url="+b.server.registrar.BaseURL,
		"--registrar-ca-file="+b.server.registrar.CAFile,
		"--registrar-cert-file="+b.server.registrar.CertificateFile,
		"--registrar-key-file="+b.server.registrar.KeyFile,
		"--webhook-host=127.0.0.1",
		fmt.Sprintf("--webhook-port=%d", b.webhookPort),
		"--webhook-cert-dir="+b.webhookDir,
		"--metrics-address=0", "--probe-address=0",
		"--leader-election-namespace="+b.namespace,
	)
}

func TestOperatorProgramSaysWhichFlagsAreMissing(t *testing.T) {
	t.Parallel()
	output, err := exec.CommandContext(t.Context(), built(t, buildOperator)).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "--registrar-url is missing") || strings.Contains(string(output), "goroutine") {
		t.Errorf("%v: %s", err, output)
	}
}

func TestOperatorProgramSaysThatItsLeaseNeedsANamespace(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	program := exec.CommandContext(t.Context(), built(t, buildOperator), append(b.flags(t), "--leader-election-namespace=")...)
	program.Env = append(program.Environ(), "KUBECONFIG="+b.Kubeconfig)
	output, err := program.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "state --leader-election-namespace, or --leader-elect=false") {
		t.Errorf("%v: %s", err, output)
	}
}

func (b *bank) startProgram(t *testing.T, flags ...string) *exec.Cmd {
	t.Helper()
	program := exec.CommandContext(context.Background(), built(t, buildOperator), flags...)
	program.Env = append(program.Environ(), "KUBECONFIG="+b.Kubeconfig)
	program.Stderr = &bytes.Buffer{}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Process.Kill() })
	return program
}

// programFolder holds the programs that are built for all tests.
var programFolder string

var (
	buildOperator = sync.OnceValues(func() (string, error) { return build("operator", "") })
	buildPlugin   = sync.OnceValues(func() (string, error) { return build("kubectl-fapi", "/cmd/kubectl-fapi") })
)

func build(name, folder string) (string, error) {
	path := filepath.Join(programFolder, name)
	return path, process.Build(context.Background(), path, "github.com/fapi-operator/fapi-operator"+folder)
}

// built is a program's path.
func built(t *testing.T, program func() (string, error)) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
