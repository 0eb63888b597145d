package faults

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

const (
	// startTime bounds a start; it is far above what is measured.
	startTime = 30 * time.Second
	// readyPoll is how exactly the time of a restart is measured.
	readyPoll = 2 * time.Millisecond
)

// buildAuthserver compiles the program that ships, once.
var buildAuthserver = sync.OnceValues(func() (string, error) {
	path := filepath.Join(directory, "authserver")
	return path, process.Build(context.Background(), path, "github.com/fapi-operator/fapi-operator/authserver")
})

// replica is the authorization server in a process of its own.
type replica struct {
	program  string
	prepared *fapitest.Server
	command  *exec.Cmd
	log      *os.File
}

func newReplica(t *testing.T, prepared *fapitest.Server) *replica {
	t.Helper()
	program, err := buildAuthserver()
	if err != nil {
		t.Fatalf("build the authorization server: %v", err)
	}
	log, err := os.Create(prepared.ConfigFile + ".log")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{program: program, prepared: prepared, log: log}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(log.Name()))
		}
		_ = log.Close() // It has been read.
	})
	return r
}

// spawn starts the process, and does not wait for it.
func (r *replica) spawn(t *testing.T) {
	t.Helper()
	r.command = exec.Command(r.program, "--config", r.prepared.ConfigFile)
	r.command.Stdout, r.command.Stderr = r.log, r.log
	if err := process.Spawn(r.command); err != nil {
		t.Fatalf("start the authorization server: %v", err)
	}
}

// start starts the process, and tells how long it took until it was ready.
func (r *replica) start(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	r.spawn(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for !r.ready(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("the server at %s did not become ready:\n%s", r.prepared.HealthURL, tail(r.log.Name()))
		case <-poll.C:
		}
	}
	return time.Since(began)
}

func (r *replica) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.prepared.HealthURL+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // The status is all there is.
	return response.StatusCode == http.StatusOK
}

// kill is SIGKILL: the process has no say in it.
func (r *replica) kill() {
	if r.command == nil {
		return
	}
	_ = r.command.Process.Kill() // It may have been killed before.
	_ = r.command.Wait()         // Its status says that it was killed.
}

// check has the program itself look over the store that a kill left behind.
func (r *replica) check(t *testing.T) {
	t.Helper()
	if output, err := exec.Command(r.program, "check", "--config", r.prepared.ConfigFile).CombinedOutput(); err != nil {
		t.Errorf("authserver check: %v\n%s", err, output)
	}
}

// logTail is how many bytes of a log a failure shows.
const logTail = 4000

func tail(file string) []byte {
	log, err := os.ReadFile(file)
	if err != nil {
		return []byte(err.Error())
	}
	return log[max(0, len(log)-logTail):]
}
