//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// overlay is a kustomization of one's own: config/default, with these tests' images
// and somebody who can log in.
const overlay = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%s]
images:
- {name: ghcr.io/fapi-operator/operator, newName: localhost/fapi-operator/operator, newTag: dev}
- {name: ghcr.io/fapi-operator/authserver, newName: localhost/fapi-operator/authserver, newTag: dev}
configMapGenerator:
- {name: fapi-operator-authserver, namespace: ` + namespace + `, behavior: merge, files: [users.yaml]}
`

// TestKustomize: the same installation without Helm.
func TestKustomize(t *testing.T) {
	makeVolume(t)
	folder := makeOverlay(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(describe(t, namespace))
			deleteOverlay(t, folder)
		}
	})
	took := timed(func() {
		kubectl(t, "apply", "--server-side", "--validate=strict", "-k", folder)
		await(t, namespace, "deployment/"+authserverDeployment, "condition=Available")
		await(t, namespace, "deployment/"+operatorDeployment, "condition=Available")
	})
	figures.note(t, "kubectl apply -k config/default, and available: %s", took)
	refuseBroken(t)
	applySamples(t)
	for _, s := range samples {
		s.doFlows(t, issuer, 1)
	}
	t.Run("two field managers", twoFieldManagers)
	wantCleanLogs(t)
	deleteOverlay(t, folder)
}

func makeOverlay(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	base, err := filepath.Abs(filepath.Join(root, "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	// Kustomize takes relative paths alone.
	if base, err = filepath.Rel(folder, base); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"kustomization.yaml": fmt.Sprintf(overlay, base),
		"users.yaml":         fmt.Sprintf("users:\n- username: alice\n  passwordHash: %s\n", fapitest.CheapHash(password)),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// deleteOverlay deletes the clients, then the installation, and demands that nothing is left.
func deleteOverlay(t *testing.T, folder string) {
	t.Helper()
	took := timed(func() {
		kubectl(t, "delete", "namespace", samplesNamespace, "--ignore-not-found", "--wait", waitPatience)
		kubectl(t, "delete", "-k", folder, "--wait", waitPatience)
	})
	figures.note(t, "samples' namespace and kubectl delete -k config/default: %s", took)
	if left := kubectl(t, "get", "-k", folder, "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("left: %s", left)
	}
}
