//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// argocdVariable is the command that is Argo CD's own, where it is not `argocd --core`.
const argocdVariable = "E2E_ARGOCD"

const (
	argocdNamespace = "argocd"
	// The Applications of config/argocd/applications.yaml.
	installation = "fapi-operator"
	clients      = "fapi-samples"
	// gitopsSample is the client that commits change.
	gitopsSample = "budget-planner"
	gitopsFile   = "config/samples/dpop.yaml"
)

// TestArgoCD has Argo CD install and run everything, from what ships in config/argocd.
func TestArgoCD(t *testing.T) {
	needArgoCD(t)
	prepareNamespace(t)
	makeVolume(t)
	tellHealth(t)
	r := newRepository(t)
	r.addAfterwards(t)

	applyApplications(t, r)
	wantWaves(t)
	equipPods(t)
	samples[0].doFlows(t, issuer, 1)
	wantNoDifference(t)
	t.Run("a client that waits", r.clientThatWaits)
	t.Run("renewal", renewalMakesNoDifference)
	t.Run("a change by hand", changeByHandIsPutBack)
	t.Run("refused by admission", r.refusedByAdmission)
	t.Run("an unknown field", r.unknownField)
	t.Run("refused by the server", r.refusedByServer)
	wantNoDifference(t)
	wantCleanLogs(t)
	deleteApplications(t)
}

// needArgoCD ends the test on a cluster without Argo CD.
func needArgoCD(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(argocdCommand()[0]); err != nil {
		figures.notRun(t, "install Argo CD's command line program, or name it in %s: %v", argocdVariable, err)
	}
	if _, err := tryKubectl(t, "", "get", "namespace", argocdNamespace); err != nil {
		figures.notRun(t, "Argo CD is not in namespace %s: %v", argocdNamespace, err)
	}
}

func argocdCommand() []string {
	if command := strings.Fields(os.Getenv(argocdVariable)); len(command) > 0 {
		return command
	}
	return []string{"argocd", "--core"}
}

// argocd runs Argo CD's command, which must succeed.
func argocd(t *testing.T, arguments ...string) {
	t.Helper()
	command := argocdCommand()
	if output, err := run(t, "", command[0], append(command[1:], arguments...)...); err != nil {
		t.Fatalf("argocd %s: %v\n%s\n%s", strings.Join(arguments, " "), err, output, describeApplications(t))
	}
}

// tellHealth puts the health check in place, as its file says.
func tellHealth(t *testing.T) {
	t.Helper()
	const check = "resource.customizations.health.fapi-operator.io_FAPIApplication"
	kubectl(t, "patch", "configmap", "argocd-cm", "--namespace", argocdNamespace, "--patch-file", filepath.Join(root, "config", "argocd", "argocd-cm.yaml"))
	t.Cleanup(func() {
		kubectl(t, "patch", "configmap", "argocd-cm", "--namespace", argocdNamespace, "--type=merge", "--patch", `{"data":{"`+check+`":null}}`)
	})
}

// afterwards stands for what mounts the clients' Secrets.
const afterwards = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: afterwards
  namespace: ` + samplesNamespace + `
  annotations: {argocd.argoproj.io/sync-wave: "2"}
`

// addAfterwards adds a sync wave after the clients'.
func (r repository) addAfterwards(t *testing.T) {
	t.Helper()
	r.write(t, "config/argocd/samples/afterwards.yaml", afterwards)
	r.replace(t, "config/argocd/samples/kustomization.yaml", "- ../../samples\n", "- ../../samples\n- afterwards.yaml\n")
	r.commit(t, "Add what uses the clients")
}

// applyApplications applies both Applications at once, and waits until they are
// Synced and Healthy. Nothing of them is changed but the repository and the values.
func applyApplications(t *testing.T, r repository) {
	t.Helper()
	t.Cleanup(func() {
		left := kubectl(t, "get", "applications.argoproj.io", "--namespace", argocdNamespace, "-o", "name")
		if t.Failed() && left != "" {
			t.Log(describeApplications(t), describe(t, namespace), describe(t, samplesNamespace))
			deleteApplications(t)
		}
	})
	took := timed(func() {
		apply(t, argocdNamespace, ownApplications(t, r))
		awaitHealthy(t, installation)
		awaitHealthy(t, clients)
	})
	figures.note(t, "both Applications applied at once, then Synced and Healthy: %s", took)
}

// awaitHealthy waits until an Application is Synced and Healthy. Argo CD's own command
// gives up at the first Degraded, which an installation is for a moment: its issuer is
// there before the issuer's Secret.
func awaitHealthy(t *testing.T, name string) {
	t.Helper()
	awaitApplication(t, name, "{.status.operationState.phase}", "Succeeded")
	awaitApplication(t, name, "{.status.sync.status}", "Synced")
	awaitApplication(t, name, "{.status.health.status}", "Healthy")
}

func ownApplications(t *testing.T, r repository) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(root, "config", "argocd", "applications.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var own strings.Builder
	for document := range strings.SplitSeq(string(file), "\n---\n") {
		var application struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       map[string]any `json:"spec"`
		}
		if err := yaml.UnmarshalStrict([]byte(document), &application); err != nil {
			t.Fatal(err)
		}
		source := application.Spec["source"].(map[string]any)
		source["repoURL"] = r.url
		if chart, ok := source["helm"].(map[string]any); ok {
			delete(chart, "valuesObject")
			chart["values"] = values
		}
		text, err := json.Marshal(application)
		if err != nil {
			t.Fatal(err)
		}
		own.Write(append(text, "\n---\n"...))
	}
	return own.String()
}

// awaitApplication waits, by a watch, until a path of an Application has a value.
func awaitApplication(t *testing.T, name, path, value string) {
	t.Helper()
	if _, err := tryKubectl(t, "", "wait", "--namespace", argocdNamespace, "applications.argoproj.io/"+name, "--for=jsonpath="+path+"="+value, waitPatience); err != nil {
		t.Fatalf("%s of %s is not %s: %v\n%s", path, name, value, err, describeApplications(t))
	}
}

func askApplication(t *testing.T, name, path string) string {
	t.Helper()
	return kubectl(t, "get", "applications.argoproj.io", name, "--namespace", argocdNamespace, "-o", "jsonpath="+path)
}

func describeApplications(t *testing.T) string {
	t.Helper()
	output, err := tryKubectl(t, "", "get", "applications.argoproj.io", "--namespace", argocdNamespace, "-o", `jsonpath={range .items[*]}{.metadata.name}: {.status}{"\n"}{end}`)
	if err != nil {
		output += err.Error()
	}
	return output
}

// wantWaves demands that the wave after the clients began when all of them were ready.
func wantWaves(t *testing.T) {
	t.Helper()
	began := kubectl(t, "get", "configmap", "afterwards", "--namespace", samplesNamespace, "-o", "jsonpath={.metadata.creationTimestamp}")
	for _, s := range samples {
		ready := kubectl(t, "get", "fapiapplication", s.Name, "--namespace", samplesNamespace, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].lastTransitionTime}`)
		// Times of RFC 3339 in UTC, to the second, which are in the order of their texts.
		if ready > began {
			t.Errorf("the wave after the clients began at %s, and %s was ready at %s", began, s.Name, ready)
		}
	}
}

// wantNoDifference demands that Argo CD, asked to look anew, sees none.
func wantNoDifference(t *testing.T) {
	t.Helper()
	for _, application := range []string{installation, clients} {
		argocd(t, "app", "diff", application, "--refresh", "--exit-code")
	}
}

func renewalMakesNoDifference(t *testing.T) {
	names := clientCertificates(t)
	renew(t, samplesNamespace, names...)
	argocd(t, "app", "wait", clients, "--sync", "--health", "--timeout=60")
	wantNoDifference(t)
	figures.note(t, "%d client certificates renewed: no difference", len(names))
}

func changeByHandIsPutBack(t *testing.T) {
	took := timed(func() {
		kubectl(t, "patch", "fapiapplication", gitopsSample, "--namespace", samplesNamespace, "--type=merge", "--patch", `{"spec":{"clientName":"Changed by hand"}}`)
		await(t, samplesNamespace, "fapiapplication/"+gitopsSample, "jsonpath={.spec.clientName}=Budget planner")
	})
	figures.note(t, "a spec changed by hand is put back: %s", took)
	argocd(t, "app", "wait", clients, "--sync", "--health", "--operation", "--timeout=60")
}

// offer commits what the folder holds, and has Argo CD look at once.
func (r repository) offer(t *testing.T, subject string) {
	t.Helper()
	look(t, r.commit(t, subject))
}

// look has Argo CD look at the repository, and waits until it has seen a revision.
func look(t *testing.T, revision string) {
	t.Helper()
	kubectl(t, "annotate", "applications.argoproj.io", clients, "--namespace", argocdNamespace, "--overwrite", "argocd.argoproj.io/refresh=normal")
	awaitApplication(t, clients, "{.status.sync.revision}", revision)
}

// mend takes the last commit back, and waits until all is as it was before.
func (r repository) mend(t *testing.T) {
	t.Helper()
	took := timed(func() {
		revision := r.revert(t)
		look(t, revision)
		awaitApplication(t, clients, "{.status.operationState.syncResult.revision}", revision)
		argocd(t, "app", "wait", clients, "--sync", "--health", "--operation", "--timeout=120")
	})
	figures.note(t, "the commit reverted, Synced and Healthy again: %s", took)
}

// refusedByAdmission: the operation fails and names the rules, and once the commit
// is mended, the next attempt takes the newer one.
func (r repository) refusedByAdmission(t *testing.T) {
	r.replace(t, "config/samples/kustomization.yaml", "- message-signing.yaml\n", "- message-signing.yaml\n- broken.yaml\n")
	r.offer(t, "Add what is not FAPI")
	const broken = `.status.operationState.syncResult.resources[?(@.name=="broken")]`
	awaitApplication(t, clients, "{"+broken+".status}", "SyncFailed")
	message := askApplication(t, clients, "{"+broken+".message}")
	if found := strings.Count(message, "FAPI2-"); found < brokenRules {
		t.Errorf("the operation names %d rules, want %d: %s", found, brokenRules, message)
	}
	t.Log(askApplication(t, clients, "{.status.sync.status} {.status.health.status}, operation {.status.operationState.phase}: {.status.operationState.message}"))
	r.mend(t)
}

// clientThatWaits is Progressing until what it waits for is there, and then Healthy.
func (r repository) clientThatWaits(t *testing.T) {
	keys := kubectl(t, "get", "secret", gitopsSample+"-keys", "--namespace", samplesNamespace, "-o", `jsonpath={.data.jwks\.json}`)
	r.replace(t, gitopsFile, "    source: Managed\n", "    source: SecretRef\n    secretRef: {name: own-keys, key: jwks.json}\n")
	r.offer(t, "Bring the client's own keys")
	awaitApplication(t, clients, "{.status.health.status}", "Progressing")
	took := timed(func() {
		apply(t, samplesNamespace, "apiVersion: v1\nkind: Secret\nmetadata: {name: own-keys, labels: {fapi-operator.io/application: "+gitopsSample+"}}\ndata: {jwks.json: "+keys+"}\n")
		awaitHealthy(t, clients)
	})
	figures.note(t, "Progressing for want of a Secret, which is made, and Healthy: %s", took)
	r.mend(t)
}

// unknownField: the server's own schema refuses it, and the cluster keeps what it has.
func (r repository) unknownField(t *testing.T) {
	r.replace(t, gitopsFile, "  clientName: Budget planner\n", "  clientName: Budget planner\n  color: green\n")
	r.offer(t, "Add a field that nobody knows")
	const mistake = `.status.conditions[?(@.type=="ComparisonError")]`
	awaitApplication(t, clients, "{"+mistake+".type}", "ComparisonError")
	if message := askApplication(t, clients, "{"+mistake+".message}"); !strings.Contains(message, ".spec.color") {
		t.Errorf("the unknown field is not named: %s", message)
	}
	look(t, r.revert(t)) // Nothing was applied, so there is nothing to sync.
	awaitHealthy(t, clients)
}

// refusedByServer: admission knows no server's scopes, so the manifest is applied,
// and the client is Degraded.
func (r repository) refusedByServer(t *testing.T) {
	r.replace(t, gitopsFile, "scopes: [openid, accounts]", "scopes: [openid, mortgages]")
	r.offer(t, "Ask for a scope that the server does not have")
	awaitApplication(t, clients, "{.status.health.status}", "Degraded")
	argocd(t, "app", "wait", clients, "--sync", "--degraded", "--timeout=60")
	reason := kubectl(t, "get", "fapiapplication", gitopsSample, "--namespace", samplesNamespace, "-o", `jsonpath={.status.conditions[?(@.type=="Stalled")].reason}`)
	if reason != "RejectedByServer" {
		t.Errorf("it is Degraded for reason %s", reason)
	}
	r.mend(t)
}

// deleteApplications deletes the clients first: the operator confirms that they are gone.
func deleteApplications(t *testing.T) {
	t.Helper()
	took := timed(func() {
		for _, application := range []string{clients, installation} {
			argocd(t, "app", "delete", application, "--yes", "--wait")
		}
	})
	figures.note(t, "both Applications deleted: %s", took)
	deleteKept(t)
}
