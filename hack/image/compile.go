package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// build is what the go command stamped into a program.
type build struct {
	version  string    // of the project: its tag, or a pseudo-version made of the commit
	revision string    // the commit's full hash
	commit   time.Time // when the commit was made
}

// environment is everything that would change the compiled program: the same
// commit and the same Go give the same bytes on every machine.
// https://go.dev/doc/rebuild
var environment = []string{
	"CGO_ENABLED=0", "GOOS=linux", "GOWORK=off", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off",
	// The oldest processors of each architecture that Go has a level for.
	"GOAMD64=v1", "GOARM64=v8.0",
}

// compile builds a program of the checkout into file, and reads what is stamped in it.
func compile(ctx context.Context, checkout string, p program, architecture, file string) (build, error) {
	output, err := filepath.Abs(file)
	if err != nil {
		return build{}, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", output, p.folder)
	cmd.Dir = checkout
	cmd.Env = append(append(os.Environ(), environment...), "GOARCH="+architecture)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return build{}, fmt.Errorf("compile %s for %s: %w", p.name, architecture, err)
	}
	return readBuild(output)
}

// readBuild reads a program's build information.
func readBuild(file string) (build, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return build{}, fmt.Errorf("read the build information: %w", err)
	}
	b := build{version: info.Main.Version}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.revision = setting.Value
		case "vcs.time":
			if b.commit, err = time.Parse(time.RFC3339, setting.Value); err != nil {
				return build{}, fmt.Errorf("read the commit's time: %w", err)
			}
		}
	}
	if b.revision == "" || b.commit.IsZero() {
		return build{}, errors.New("the program does not say which commit it was built from: build it in a clone of the repository with git installed, and in no linked worktree")
	}
	return b, nil
}
