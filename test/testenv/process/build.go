package process

import (
	"context"
	"fmt"
	"os/exec"
)

// Build compiles a program of this module, by its package's import path, as it
// ships: without cgo. The working directory lies in the module.
func Build(ctx context.Context, path, program string) error {
	compile := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, program)
	compile.Env = append(compile.Environ(), "CGO_ENABLED=0")
	if output, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, output)
	}
	return nil
}
