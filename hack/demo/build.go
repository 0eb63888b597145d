package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/test/testenv/controlplane"
	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

// build builds the control plane, the operator and the server.
func (d *demo) build(ctx context.Context) (err error) {
	if d.tools, err = controlplane.Build(ctx, os.Stderr); err != nil {
		return err
	}
	for _, program := range []struct{ name, source string }{{"operator", "."}, {"authserver", "./authserver"}} {
		if err := d.account.timed(func() (string, error) { return program.name, d.compile(ctx, program.name, program.source) }); err != nil {
			return err
		}
	}
	return nil
}

// compile runs go build, which names on standard error each package that it compiles.
func (d *demo) compile(ctx context.Context, name, source string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-o", d.folder.program(name), source)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	output, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	if err := process.Spawn(cmd); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	last := d.showProgress(name, bufio.NewScanner(output))
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, last)
	}
	return nil
}

// showProgress tells every few seconds how far a build is, and returns the end of
// what it said.
func (d *demo) showProgress(name string, lines *bufio.Scanner) string {
	const interval, kept = 10 * time.Second, 20
	var said []string
	told, count := time.Now(), 0
	for lines.Scan() {
		count++
		said = append(said, lines.Text())
		said = said[max(0, len(said)-kept):]
		if time.Since(told) > interval {
			told = time.Now()
			d.account.line("still building %s: %d packages compiled", name, count)
		}
	}
	return strings.Join(said, "\n")
}
