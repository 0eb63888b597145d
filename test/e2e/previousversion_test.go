//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// previousVariable is a folder with the version before this one: its sources, and in
// bin/images its images, tagged previous.
const previousVariable = "E2E_PREVIOUS"

// TestUpgradeFromThePreviousVersion: clients, their keys, their grants and their flows
// live on, while replicas of both versions serve from one database.
func TestUpgradeFromThePreviousVersion(t *testing.T) {
	previous := needPreviousVersion(t)
	prepareNamespace(t)
	database := startDatabase(t)
	values := fmt.Sprintf(postgresValues, database.Name, database.User)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(describe(t, namespace), describe(t, samplesNamespace))
			uninstall(t)
		}
	})
	helm(t, "install", release, filepath.Join(previous, "config", "chart"), "--namespace", namespace, "--wait", "--timeout=5m",
		"--values", valuesFile(t, values), "--set=image.operator.tag=previous", "--set=image.authserver.tag=previous")
	applySamples(t)
	before := registrations(t)
	load := startLoad(t, issuer, samples...)
	load.withoutFailure(t, "upgrade from the previous version", func() { upgrade(t, values) })
	wantReported(t, 2)
	for _, s := range samples {
		await(t, samplesNamespace, "fapiapplication/"+s.Name, "condition=Ready")
	}
	load.withoutFailure(t, "renewal of every client certificate", func() { renew(t, samplesNamespace, clientCertificates(t)...) })
	if after := registrations(t); after != before {
		t.Errorf("clients have been registered anew, or have other keys:\n%sbefore:\n%s", after, before)
	}
	wantCleanLogs(t)
	uninstall(t)
}

// needPreviousVersion loads its images, or ends the test where there is none.
func needPreviousVersion(t *testing.T) (folder string) {
	t.Helper()
	folder = os.Getenv(previousVariable)
	if folder == "" {
		figures.notRun(t, "%s names no folder with the previous version", previousVariable)
	}
	if err := loadImages(filepath.Join(folder, "bin", "images"), "operator", "authserver"); err != nil {
		t.Fatal(err)
	}
	return folder
}

// registrations are what an upgrade leaves as it was: the revision of each client at
// the server, and its keys.
func registrations(t *testing.T) string {
	t.Helper()
	return kubectl(t, "get", "fapiapplications", "--namespace", samplesNamespace, "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.status.registration.revision} {.status.keys.keyIDs}{"\n"}{end}`)
}
