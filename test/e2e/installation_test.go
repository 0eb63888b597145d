//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

const (
	release   = "fapi-operator"
	namespace = "fapi-system"
	issuer    = "https://fapi-operator-public.fapi-system.svc"
	chart     = root + "/config/chart"
	password  = "correct horse battery staple"
	// fapiServer is what the operator makes for the release.
	fapiServer = "fapiserver/" + namespace + "-" + release
)

// values are what every installation of these tests has.
const values = `
image:
  pullPolicy: Never
  operator: {repository: localhost/fapi-operator/operator, tag: dev}
  authserver: {repository: localhost/fapi-operator/authserver, tag: dev}
config:
  defaultResource: https://api.bank.example
  scopes:
    accounts: {description: See your accounts}
    payments: {description: Prepare payments}
users: {existingSecret: users}
`

const postgresValues = values + `
store:
  backend: postgres
  postgres:
    hosts: ["` + databaseService + "." + namespace + `.svc:5432"]
    database: %s
    user: %s
    passwordSecret: database
    caSecret: database
    maxConnections: 8
`

// prepareNamespace makes what an installer brings: the namespace, and who can log in.
func prepareNamespace(t *testing.T) {
	t.Helper()
	apply(t, "default", "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+", labels: {pod-security.kubernetes.io/enforce: restricted}}\n")
	users := fmt.Sprintf("users:\n- username: alice\n  passwordHash: %s\n", fapitest.CheapHash(password))
	apply(t, namespace, "apiVersion: v1\nkind: Secret\nmetadata: {name: users}\ndata: {users.yaml: "+encode([]byte(users))+"}\n")
}

// install installs the chart. A test that fails leaves nothing for the next one.
func install(t *testing.T, values string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(describe(t, namespace))
			uninstall(t)
		}
	})
	took := timed(func() {
		helm(t, "install", release, chart, "--namespace", namespace, "--wait", "--timeout=5m", "--values", valuesFile(t, values))
	})
	figures.note(t, "helm install --wait: %s", took)
}

func valuesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// applySamples applies config/samples, waits until every application is ready, and
// equips their pods.
func applySamples(t *testing.T) {
	t.Helper()
	took := timed(func() {
		kubectl(t, "apply", "--server-side", "--validate=strict", "-k", filepath.Join(root, "config", "samples"))
		for _, s := range samples {
			await(t, samplesNamespace, "fapiapplication/"+s.Name, "condition=Ready")
		}
	})
	figures.note(t, "samples applied and Ready: %s", took)
	equipPods(t)
}

// equipPods gives the samples' pods what they need besides the operator's Secrets:
// the server's CA and a password.
func equipPods(t *testing.T) {
	t.Helper()
	ca := kubectl(t, "get", "secret", release+"-public-tls", "--namespace", namespace, "-o", `jsonpath={.data.ca\.crt}`)
	apply(t, samplesNamespace, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: test}\ndata: {ca.crt: %s, password: %s}\n", ca, encode([]byte(password))))
}

// brokenRules is how many rules the broken sample breaks.
const brokenRules = 5

// refuseBroken applies the broken sample, which admission must refuse by name of
// its rules.
func refuseBroken(t *testing.T) {
	t.Helper()
	_, err := tryKubectl(t, "", "apply", "--namespace", "default", "-f", filepath.Join(root, "config", "samples", "broken.yaml"))
	if err == nil {
		t.Fatal("the broken sample was admitted")
	}
	if found := strings.Count(err.Error(), "FAPI2-"); found < brokenRules {
		t.Errorf("the refusal names %d rules, want %d: %v", found, brokenRules, err)
	}
}

// wantReported demands that the FAPIServer tells of that many replicas, which serve
// the same, and of a client's certificate that reaches them.
func wantReported(t *testing.T, replicas int) {
	t.Helper()
	for _, condition := range []string{
		"create", // By a leader that has just been elected.
		"condition=Ready", "condition=RevisionsAgree",
		fmt.Sprintf("jsonpath={.status.readyReplicas}=%d", replicas), "jsonpath={.status.selfTest.result}=Passed",
	} {
		await(t, namespace, fapiServer, condition)
	}
}

// wantCleanLogs demands that the operator was denied nothing that it asked the API
// server for: what it may not do shows in its log alone.
func wantCleanLogs(t *testing.T) {
	t.Helper()
	logs := kubectl(t, "logs", "--namespace", namespace, "--selector=app.kubernetes.io/component=operator", "--tail=-1")
	for line := range strings.Lines(logs) {
		if strings.Contains(line, "forbidden") {
			t.Errorf("the operator lacks a right: %s", line)
		}
	}
}

// uninstall takes everything away again, in the order that the documentation names.
func uninstall(t *testing.T) {
	t.Helper()
	took := timed(func() {
		kubectl(t, "delete", "namespace", samplesNamespace, "--ignore-not-found", "--wait", waitPatience)
		helm(t, "uninstall", release, "--namespace", namespace, "--wait", "--timeout=3m")
	})
	figures.note(t, "samples' namespace deleted and chart uninstalled: %s", took)
	deleteKept(t)
}

// deleteKept deletes what an uninstallation of the chart leaves, which has to be there.
func deleteKept(t *testing.T) {
	t.Helper()
	definitions := []string{"crd/fapiapplications.fapi-operator.io", "crd/fapipolicies.fapi-operator.io", "crd/fapiservers.fapi-operator.io"}
	for _, kept := range append(definitions, "secret/"+release+"-key-encryption-key") {
		if _, err := tryKubectl(t, "", "get", kept, "--namespace", namespace); err != nil {
			t.Errorf("the uninstallation took %s away: %v", kept, err)
		}
	}
	if left := kubectl(t, "get", "fapiapplications", "--all-namespaces", "-o", "name"); left != "" {
		t.Errorf("left: %s", left)
	}
	// Garbage collection takes it after the webhook configuration that it belongs to.
	await(t, namespace, fapiServer, "delete")
	kubectl(t, "delete", "namespace", namespace, "--wait", waitPatience)
	kubectl(t, append([]string{"delete"}, definitions...)...)
}
