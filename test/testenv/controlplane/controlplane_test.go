package controlplane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/test/testenv/controlplane"
)

// parentOf makes the test binary start a control plane in the folder that it
// names and then hang, for TestProcessesDieWithAKilledParent.
const parentOf = "CONTROLPLANE_TEST_PARENT_OF"

const startTimeout = 2 * time.Minute

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentOf); dir != "" {
		hangAsParent(dir)
	}
	os.Exit(m.Run())
}

func hangAsParent(dir string) {
	tools, err := controlplane.Build(context.Background(), os.Stderr)
	if err == nil {
		_, err = controlplane.Start(context.Background(), controlplane.Config{Tools: tools, Dir: dir})
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	select {}
}

func TestStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plane := start(t, controlplane.Config{Dir: dir, ControllerManager: true, CertManager: true})
	want := []string{"cert-manager", "etcd", "kube-apiserver", "kube-controller-manager"}
	if diff := cmp.Diff(want, programsIn(t, dir)); diff != "" {
		t.Errorf("running programs (-want +got):\n%s", diff)
	}
	if err := plane.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := programsIn(t, dir); len(got) != 0 {
		t.Errorf("still running after Stop: %v", got)
	}
	if err := plane.Stop(); err != nil {
		t.Errorf("stop again: %v", err)
	}
	select {
	case err := <-plane.Failed():
		t.Errorf("an ordered stop is told as a failure: %v", err)
	default:
	}
}

func TestProcessesDieWithAKilledParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentOf+"="+dir)
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "started\n" {
		t.Fatalf("the parent says %q, %v", line, err)
	}
	if diff := cmp.Diff([]string{"etcd", "kube-apiserver"}, programsIn(t, dir)); diff != "" {
		t.Errorf("running programs (-want +got):\n%s", diff)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if state := parent.Wait(); state == nil {
		t.Error("the parent ended by itself")
	}
	awaitNoProgramIn(t, dir)
}

func TestFolderContinuesWithItsObjectsAndPort(t *testing.T) {
	t.Parallel()
	config := controlplane.Config{Dir: t.TempDir(), APIServerPort: closedPort(t)}
	first := start(t, config)
	kubectl(t, first, "create", "configmap", "kept", "--from-literal=key=value")
	oldKubeconfig, err := os.ReadFile(first.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := start(t, config)
	if want, got := fmt.Sprintf("https://127.0.0.1:%d", config.APIServerPort), second.RESTConfig.Host; got != want {
		t.Errorf("the API server is at %s, want %s", got, want)
	}
	copied := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(copied, oldKubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	got := kubectl(t, second, "--kubeconfig", copied, "get", "configmap", "kept", "--output=jsonpath={.data.key}")
	if got != "value" {
		t.Errorf("the first run's kubeconfig reads %q, want the first run's value", got)
	}
}

func TestFolderInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, controlplane.Config{Dir: dir})
	_, err := controlplane.Start(t.Context(), controlplane.Config{Tools: build(t), Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "stop the control plane that uses this folder") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

func TestTakenPortIsReportedWithTheLog(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := t.TempDir()
	_, err = controlplane.Start(t.Context(), controlplane.Config{
		Tools:         build(t),
		Dir:           dir,
		APIServerPort: listener.Addr().(*net.TCPAddr).Port,
	})
	for _, want := range []string{"kube-apiserver ended by itself", "address already in use"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if got := programsIn(t, dir); len(got) != 0 {
		t.Errorf("still running after a failed start: %v", got)
	}
}

func TestCanceledStartLeavesNoProcess(t *testing.T) {
	t.Parallel()
	tools, dir := build(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := controlplane.Start(ctx, controlplane.Config{Tools: tools, Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if got := programsIn(t, dir); len(got) != 0 {
		t.Errorf("still running: %v", got)
	}
}

func TestProgramThatEndsByItselfIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plane := start(t, controlplane.Config{Dir: dir})
	if err := syscall.Kill(processesIn(t, dir)["kube-apiserver"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-plane.Failed():
		if !strings.Contains(err.Error(), "kube-apiserver ended by itself: signal: killed") {
			t.Errorf("failure %v, want kube-apiserver's", err)
		}
	case <-t.Context().Done():
		t.Error("the failure is not told")
	}
}

func TestIncompleteConfigIsRefused(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]controlplane.Config{
		"names no tools":  {Dir: t.TempDir()},
		"names no folder": {Tools: build(t)},
	} {
		if _, err := controlplane.Start(t.Context(), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestMissingCRDFolderIsNamed(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "crds")
	_, err := controlplane.Start(t.Context(), controlplane.Config{Tools: build(t), Dir: t.TempDir(), CRDs: []string{missing}})
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v, want one that names %s", err, missing)
	}
}

func build(t *testing.T) controlplane.Tools {
	t.Helper()
	tools, err := controlplane.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

func start(t *testing.T, config controlplane.Config) *controlplane.ControlPlane {
	t.Helper()
	config.Tools = build(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	plane, err := controlplane.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	return plane
}

func kubectl(t *testing.T, plane *controlplane.ControlPlane, args ...string) string {
	t.Helper()
	output, err := plane.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// closedPort returns a port of 127.0.0.1 on which nothing listens.
func closedPort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
