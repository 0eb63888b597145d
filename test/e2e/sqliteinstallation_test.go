//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// volume is for a cluster without a default storage class; its directory is on this
// machine's disk, which is the node's.
const volume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: fapi-store}
spec:
  capacity: {storage: 2Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  hostPath: {path: %s, type: Directory}
  claimRef: {namespace: ` + namespace + `, name: ` + release + `-store}
`

// makeVolume makes the volume that the installation will claim, unless the cluster's
// default storage class does. Its directory is given to the server's user: the kubelet
// does not do so with a hostPath.
func makeVolume(t *testing.T) {
	t.Helper()
	const isDefault = `jsonpath={.items[?(@.metadata.annotations.storageclass\.kubernetes\.io/is-default-class=="true")].metadata.name}`
	if kubectl(t, "get", "storageclasses", "-o", isDefault) != "" {
		return
	}
	const user = 65532
	directory := t.TempDir()
	if err := os.Chown(directory, user, user); err != nil {
		t.Fatalf("make a volume: %v", err)
	}
	apply(t, namespace, fmt.Sprintf(volume, directory))
	t.Cleanup(func() { kubectl(t, "delete", "pv", "fapi-store", "--ignore-not-found", "--wait", waitPatience) })
}

// oneNamespace has the operator serve the samples' namespace, with rights in it alone.
const oneNamespace = "operator: {namespaces: [" + samplesNamespace + "]}\n"

// TestSQLiteInstallation: one server with a volume; a rollout has a gap, and what
// was acknowledged before it is there afterwards. The operator has the rights of one
// namespace, and that can be deleted all the same.
func TestSQLiteInstallation(t *testing.T) {
	prepareNamespace(t)
	makeVolume(t)
	kubectl(t, "apply", "--server-side", "-f", filepath.Join(root, "config", "samples", "namespace.yaml"))
	install(t, values+oneNamespace)
	refuseBroken(t)
	applySamples(t)
	wantReported(t, 1)
	load := startLoad(t, issuer, samples[0], samples[2])
	flows, failed, errors := load.during(t, func() { restart(t, authserverDeployment) })
	for _, cause := range errors {
		if strings.Contains(cause, "invalid_") {
			t.Errorf("what was acknowledged is gone: %s", cause)
		}
	}
	gap := 0
	for _, pod := range load.pods {
		gap = max(gap, load.ask(t, pod).GapMS)
	}
	figures.note(t, "rollout with SQLite: a gap of %d ms, %d flows meanwhile, %d failed", gap, flows, failed)
	load.stop(t)
	wantCleanLogs(t)
	uninstall(t)
}
