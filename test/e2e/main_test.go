//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the project's.
const root = "../.."

// The environment says which cluster it is.
const (
	// loadVariable is a command that loads images from archives, which are its arguments.
	loadVariable = "E2E_LOAD_IMAGES"
	// hostVariable is this machine's address as pods reach it; the first node's
	// where the tests run on the node.
	hostVariable = "E2E_HOST"
)

func TestMain(m *testing.M) {
	if err := loadImages(filepath.Join(root, "bin", "images"), "operator", "authserver", "application"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code := m.Run()
	figures.print(os.Stdout)
	os.Exit(code)
}

// loadImages brings what `make images` made in a folder, and the tests' own, into the
// cluster.
func loadImages(folder string, names ...string) error {
	load := strings.Fields(os.Getenv(loadVariable))
	if len(load) == 0 {
		return fmt.Errorf("%s is not set: name the command that loads image archives into the cluster, such as `kind load image-archive`", loadVariable)
	}
	for _, name := range names {
		archive, err := filepath.Abs(filepath.Join(folder, name+".tar"))
		if err != nil {
			return err
		}
		command := exec.Command(load[0], append(load[1:], archive)...)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("load %s: %w\n%s", archive, err, output)
		}
	}
	return nil
}
