package scale

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// installation is the owner of what the operator registers.
const installation = "scale"

// startTime bounds the start of a program, building it not counted.
const startTime = time.Minute

// build compiles a program that ships.
func build(t *testing.T, name, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := process.Build(t.Context(), path, "github.com/fapi-operator/fapi-operator"+folder); err != nil {
		t.Fatal(err)
	}
	return path
}

// run starts a program and waits until it is ready; it ends with the test.
func run(t *testing.T, command *exec.Cmd, ready func(context.Context) error) *process.Process {
	t.Helper()
	started, err := process.Start(command, filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, started) })
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := started.AwaitReady(ctx, ready); err != nil {
		t.Fatal(err)
	}
	return started
}

func stop(t *testing.T, program *process.Process) {
	t.Helper()
	if err := program.Stop(); err != nil {
		t.Error(err)
	}
}

// startServer starts the authorization server with an SQLite file.
func startServer(t *testing.T) *fapitest.Server {
	t.Helper()
	server := fapitest.Prepare(t)
	run(t, exec.Command(build(t, "authserver", "/authserver"), "--config", server.ConfigFile), func(ctx context.Context) error {
		return get(ctx, server.HealthURL+"/readyz")
	})
	return server
}

// operator is the program, which can be started again.
type operator struct {
	program    string
	arguments  []string
	kubeconfig string
	address    string // of its metrics
	// webhookPort and webhookTrust are where its webhook is, and who vouches for that.
	webhookPort  int
	webhookTrust *x509.CertPool
	running      *process.Process
}

func newOperator(t *testing.T, kubeconfig string, server *fapitest.Server) *operator {
	t.Helper()
	webhook := t.TempDir()
	server.Authority.Server(t).Write(t, webhook)
	certificate, key := server.Authority.Issue(t, testca.Leaf{URIs: []string{fapitest.OperatorSAN}}).Write(t, t.TempDir())
	o := &operator{
		program: build(t, "operator", ""), kubeconfig: kubeconfig, address: fmt.Sprintf("127.0.0.1:%d", fapitest.FreePort(t)),
		webhookPort: fapitest.FreePort(t), webhookTrust: server.Authority.Pool(),
	}
	o.arguments = []string{
		"--installation=" + installation,
		"--registrar-url=https://" + server.PrivateAddress,
		"--registrar-ca-file=" + testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM()),
		"--registrar-cert-file=" + certificate, "--registrar-key-file=" + key,
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", o.webhookPort), "--webhook-cert-dir=" + webhook,
		"--leader-elect=false", "--metrics-address=" + o.address, "--probe-address=0", "--log-level=WARN",
	}
	return o
}

func (o *operator) start(t *testing.T) {
	t.Helper()
	command := exec.Command(o.program, o.arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+o.kubeconfig)
	o.running = run(t, command, func(ctx context.Context) error { return get(ctx, "http://"+o.address+"/metrics") })
}

func (o *operator) stop(t *testing.T) {
	t.Helper()
	stop(t, o.running)
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}
