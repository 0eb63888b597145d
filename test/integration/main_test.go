// Package integration tests the operator against a real API server, a real
// cert-manager and the authorization server's real registration endpoint.
package integration

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fapi-operator/fapi-operator/test/testenv"
)

// root is the repository, seen from this package.
const root = "../.."

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(logWriter(), nil)))
	os.Exit(runIn(m))
}

// runIn gives the tests a folder for the programs that they share.
func runIn(m *testing.M) int {
	folder, err := os.MkdirTemp("", "integration-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	programFolder = folder
	return testenv.Main(m, testenv.Config{
		CRDs:              []string{filepath.Join(root, "config", "crd", "bases")},
		ControllerManager: true,
		CertManager:       true,
	})
}

// logWriter shows the operator's log when FAPI_TEST_LOG is set.
func logWriter() io.Writer {
	if os.Getenv("FAPI_TEST_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}
