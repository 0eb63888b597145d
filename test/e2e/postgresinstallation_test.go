//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPostgreSQLInstallation is the life of a production installation: no step
// of it costs a flow.
func TestPostgreSQLInstallation(t *testing.T) {
	prepareNamespace(t)
	database := startDatabase(t)
	values := fmt.Sprintf(postgresValues, database.Name, database.User)
	install(t, values)
	// At once: whoever applies first after the installation is judged.
	refuseBroken(t)
	applySamples(t)
	wantReported(t, 2)
	helm(t, "test", release, "--namespace", namespace, "--timeout=1m")

	t.Run("flows from pods", func(t *testing.T) {
		for _, s := range samples {
			told := s.doFlows(t, issuer, 10)
			figures.note(t, "%s: %d flows, %d failed, median %d ms", s.Name, told.Flows, told.Failed, told.MedianMS)
		}
	})
	t.Run("under load", func(t *testing.T) {
		load := startLoad(t, issuer, samples...)
		load.withoutFailure(t, "renewal of every client certificate", func() { renew(t, samplesNamespace, clientCertificates(t)...) })
		load.withoutFailure(t, "renewal of every certificate of the installation", func() { renew(t, namespace, certificates(t, namespace)...) })
		load.withoutFailure(t, "rotation of every managed key", func() { rotateKeys(t) })
		load.withoutFailure(t, "rolling restart of the server", func() { restart(t, authserverDeployment) })
		load.withoutFailure(t, "rolling restart of the operator", func() { restart(t, operatorDeployment) })
		load.withoutFailure(t, "two shards instead of one operator", func() { upgrade(t, values+twoShards) })
		load.withoutFailure(t, "one shard stopped and started", func() { eachShardKeepsItsOwn(t) })
		load.withoutFailure(t, "one operator instead of two shards", func() { upgrade(t, values) })
		load.withoutFailure(t, "upgrade", func() { upgrade(t, values+"operator: {resync: 5m}\n", "--set=config.session.lifetime=4h") })
		load.withoutFailure(t, "rollback", func() { helm(t, "rollback", release, "1", "--namespace", namespace, "--wait", "--timeout=5m") })
	})
	t.Run("a deleted application is refused", func(t *testing.T) {
		gone := samples[2]
		took := timed(func() {
			kubectl(t, "delete", "fapiapplication", gone.Name, "--namespace", samplesNamespace, "--wait", waitPatience)
		})
		figures.note(t, "application deleted: %s", took)
		// Its key goes with the application, so that the pod of one that is left asks in its name.
		thief := samples[0]
		thief.Arguments = []string{"--client-id=" + samplesNamespace + "." + gone.Name}
		pod := "thief"
		apply(t, samplesNamespace, thief.manifest(t, pod, issuer, noReport, "--flows=1"))
		await(t, samplesNamespace, "pod/"+pod, "jsonpath={.status.phase}=Failed")
		if logs := kubectl(t, "logs", pod, "--namespace", samplesNamespace); !strings.Contains(logs, "invalid_client") {
			t.Errorf("the deleted client is told: %s", logs)
		}
	})
	wantCleanLogs(t)
	t.Run("the operator goes before its applications", func(t *testing.T) {
		before := registrations(t)
		uninstallAlone(t)
		install(t, values)
		kubectl(t, "wait", "fapiapplications", "--all", "--namespace", samplesNamespace, "--for=condition=Ready", waitPatience)
		if after := registrations(t); after != before {
			t.Errorf("installed again, clients have been registered anew, or have other keys:\n%sbefore:\n%s", after, before)
		}
		uninstallAlone(t)
		took := timed(func() { kubectl(t, "delete", "namespace", samplesNamespace, "--wait", waitPatience) })
		figures.note(t, "samples' namespace deleted after the chart: %s", took)
	})
	deleteKept(t)
}

// uninstallAlone uninstalls the chart while there are applications, and demands that
// nothing of the operator's keeps them.
func uninstallAlone(t *testing.T) {
	t.Helper()
	took := timed(func() { helm(t, "uninstall", release, "--namespace", namespace, "--wait", "--timeout=3m") })
	figures.note(t, "chart uninstalled, with applications there: %s", took)
	if kept := kubectl(t, "get", "fapiapplications", "--namespace", samplesNamespace, "-o", "jsonpath={.items[*].metadata.finalizers}"); kept != "" {
		t.Errorf("applications keep the finalizers %s", kept)
	}
}

// certificates are the names of a namespace's Certificates.
func certificates(t *testing.T, namespace string) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "get", "certificates", "--namespace", namespace, "-o", "jsonpath={.items[*].metadata.name}"))
}

// clientCertificates are those that the operator asked for.
func clientCertificates(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(certificates(t, samplesNamespace), func(name string) bool { return name == "client-ca" })
}

// rotateKeys asks for another key for every client whose key the operator makes, and
// waits until the Secrets show them. The pods go on with the keys that they have.
func rotateKeys(t *testing.T) {
	t.Helper()
	const managed = `jsonpath={.items[?(@.spec.keys.source=="Managed")].metadata.name}`
	names := strings.Fields(kubectl(t, "get", "fapiapplications", "--namespace", samplesNamespace, "-o", managed))
	if len(names) == 0 {
		t.Error("no sample has a managed key")
	}
	for _, name := range names {
		kubectl(t, "annotate", "fapiapplication", name, "--namespace", samplesNamespace, "fapi-operator.io/rotate-key=under-load")
	}
	for _, name := range names {
		await(t, samplesNamespace, "fapiapplication/"+name, "jsonpath={.status.keys.managed.rotateKey}=under-load")
	}
}

// renew has cert-manager issue certificates anew, as `cmctl renew` does, and waits
// until it has.
func renew(t *testing.T, namespace string, names ...string) {
	t.Helper()
	const issuing = `{"status":{"conditions":[{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"renewed by a test","lastTransitionTime":"2026-01-01T00:00:00Z"},{"type":"Ready","status":"True","reason":"Ready","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`
	revision := func(name string) string {
		return kubectl(t, "get", "certificate", name, "--namespace", namespace, "-o", "jsonpath={.status.revision}")
	}
	before := map[string]string{}
	for _, name := range names {
		before[name] = revision(name)
		kubectl(t, "patch", "certificate", name, "--namespace", namespace, "--subresource=status", "--type=merge", "--patch", issuing)
	}
	eventually(t, patienceToIssue, "cert-manager has renewed "+strings.Join(names, ", "), func() bool {
		return !slices.ContainsFunc(names, func(name string) bool { return revision(name) == before[name] })
	})
}

// The deployments of a release.
const (
	operatorDeployment   = release
	authserverDeployment = release + "-authserver"
)

// restart rolls a deployment's pods, and waits until the old ones are gone.
func restart(t *testing.T, deployment string) {
	t.Helper()
	old := strings.Fields(kubectl(t, "get", "pods", "--namespace", namespace, "--selector=app.kubernetes.io/name=fapi-operator", "-o", "name"))
	old = slices.DeleteFunc(old, func(pod string) bool { return !isOf(t, pod, deployment) })
	kubectl(t, "rollout", "restart", "deployment", deployment, "--namespace", namespace)
	kubectl(t, "rollout", "status", "deployment", deployment, "--namespace", namespace, waitPatience)
	kubectl(t, append([]string{"wait", "--for=delete", waitPatience, "--namespace", namespace}, old...)...)
}

// isOf tells whether a pod is one of the deployment's ReplicaSets'.
func isOf(t *testing.T, pod, deployment string) bool {
	t.Helper()
	owner := kubectl(t, "get", pod, "--namespace", namespace, "-o", "jsonpath={.metadata.ownerReferences[0].name}")
	return owner[:max(strings.LastIndexByte(owner, '-'), 0)] == deployment
}

func upgrade(t *testing.T, values string, further ...string) {
	t.Helper()
	helm(t, append([]string{"upgrade", release, chart, "--namespace", namespace, "--wait", "--timeout=5m", "--values", valuesFile(t, values)}, further...)...)
}
