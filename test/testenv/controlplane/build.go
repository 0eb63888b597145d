package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// Tools are the programs that Build made.
type Tools struct{ bin string }

// Path of a program: etcd, kube-apiserver, kube-controller-manager, kubectl or
// cert-manager.
func (t Tools) Path(program string) string { return filepath.Join(t.bin, program) }

// certManagerCRDs is the folder of cert-manager's custom resource definitions.
func (t Tools) certManagerCRDs() string {
	return filepath.Join(filepath.Dir(t.bin), "crds", "cert-manager")
}

// Build builds the programs that are missing or out of date, which takes many
// minutes the first time and milliseconds later, and writes its progress. The
// working directory has to lie in this repository.
func Build(ctx context.Context, progress io.Writer) (Tools, error) {
	script, err := findUpwards(filepath.Join("hack", "controlplane", "build"))
	if err != nil {
		return Tools{}, err
	}
	var stdout bytes.Buffer
	cmd := exec.CommandContext(ctx, script)
	cmd.Stdout, cmd.Stderr = &stdout, progress
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // the compiler, too
	if err := process.Spawn(cmd); err != nil {
		return Tools{}, fmt.Errorf("run %s: %w", script, err)
	}
	if err := cmd.Wait(); err != nil {
		return Tools{}, fmt.Errorf("build the control plane with %s: %w", script, err)
	}
	return Tools{bin: strings.TrimSpace(stdout.String())}, nil
}

// findUpwards finds a path in the working directory or the nearest one above.
func findUpwards(path string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, path)
		if _, err := os.Stat(candidate); err == nil {
			return candidate, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find %s in %s or above: run this in the repository", path, start)
		}
	}
}
