//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"text/template"
	"time"
)

const samplesNamespace = "fapi-samples"

// sample is an application of config/samples, as its own pods use it.
type sample struct {
	Name string
	// Arguments are those of test/e2e/application.
	Arguments []string
	// Keys and Certificate tell which of the application's Secrets its pods mount.
	Keys, Certificate bool
}

var samples = []sample{
	{Name: "account-overview", Keys: true, Certificate: true},
	{Name: "payment-initiation", Certificate: true, Arguments: []string{"--auth-method=tls_client_auth", "--scope=openid payments"}},
	{Name: "budget-planner", Keys: true, Arguments: []string{"--dpop"}},
	{Name: "account-aggregator", Keys: true, Certificate: true, Arguments: []string{"--signed"}},
}

var podTemplate = template.Must(template.New("pod").Parse(`
apiVersion: v1
kind: Pod
metadata:
  name: {{.Pod}}
  labels: {app: {{.Pod}}}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: application
    image: localhost/fapi-operator/application:dev
    imagePullPolicy: Never
    args: {{.Arguments}}
    {{- with .ReportPort}}
    readinessProbe: {httpGet: {path: /, port: {{.}}}, periodSeconds: 1}
    {{- end}}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts:
    - {name: test, mountPath: /test}
    {{- if .Sample.Keys}}
    - {name: keys, mountPath: /keys}
    {{- end}}
    {{- if .Sample.Certificate}}
    - {name: certificate, mountPath: /certificate}
    {{- end}}
  volumes:
  - {name: test, secret: {secretName: test}}
  {{- if .Sample.Keys}}
  - {name: keys, secret: {secretName: {{.Sample.Name}}-keys}}
  {{- end}}
  {{- if .Sample.Certificate}}
  - {name: certificate, secret: {secretName: {{.Sample.Name}}-mtls}}
  {{- end}}
`))

// manifest is the sample's pod, which does flows as the further arguments say. With
// a report port it is ready once it tells there how it goes.
func (s sample) manifest(t *testing.T, pod, issuer string, reportPort int, further ...string) string {
	t.Helper()
	arguments := append([]string{
		"--issuer=" + issuer, "--ca-file=/test/ca.crt", "--client-id=" + samplesNamespace + "." + s.Name,
		"--redirect-uri=https://app.example.com/callback", "--username=alice", "--password-file=/test/password",
	}, s.Arguments...)
	if s.Keys {
		arguments = append(arguments, "--key-file=/keys/private-jwk.json")
	}
	if s.Certificate {
		arguments = append(arguments, "--certificate-directory=/certificate")
	}
	if reportPort > 0 {
		arguments = append(arguments, fmt.Sprintf("--report-address=:%d", reportPort))
	}
	encoded, err := json.Marshal(append(arguments, further...))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := podTemplate.Execute(&text, map[string]any{"Pod": pod, "Sample": s, "Arguments": string(encoded), "ReportPort": reportPort}); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// account is what test/e2e/application tells.
type account struct {
	Flows    int      `json:"flows"`
	Failed   int      `json:"failed"`
	Errors   []string `json:"errors"`
	MedianMS int      `json:"median_ms"`
	GapMS    int      `json:"gap_ms"`
}

func decode[T any](t *testing.T, text string) (decoded T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return decoded
}

// doFlows does so many flows from a pod of the sample.
func (s sample) doFlows(t *testing.T, issuer string, flows int) account {
	t.Helper()
	pod := s.Name + "-once"
	apply(t, samplesNamespace, s.manifest(t, pod, issuer, noReport, fmt.Sprintf("--flows=%d", flows)))
	defer kubectl(t, "delete", "pod", pod, "--namespace", samplesNamespace, "--ignore-not-found", "--wait")
	if _, err := tryKubectl(t, "", "wait", "--namespace", samplesNamespace, "pod/"+pod, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=1m"); err != nil {
		logs, _ := tryKubectl(t, "", "logs", pod, "--namespace", samplesNamespace)
		t.Fatalf("the flows of %s: %v\n%s\n%s", s.Name, err, logs, describe(t, samplesNamespace))
	}
	return decode[account](t, kubectl(t, "logs", pod, "--namespace", samplesNamespace))
}

// load is pods that do flows all the time.
type load struct{ pods []string }

// Where a pod of the load tells how it goes; a pod that ends by itself tells in its log.
const (
	reportPort = 8080
	noReport   = 0
)

func startLoad(t *testing.T, issuer string, samples ...sample) *load {
	t.Helper()
	l := &load{}
	for _, s := range samples {
		pod := s.Name + "-load"
		apply(t, samplesNamespace, s.manifest(t, pod, issuer, reportPort))
		l.pods = append(l.pods, pod)
	}
	t.Cleanup(func() { l.stop(t) })
	for _, pod := range l.pods {
		await(t, samplesNamespace, "pod/"+pod, "condition=Ready")
	}
	l.awaitFlows(t)
	return l
}

func (l *load) stop(t *testing.T) {
	t.Helper()
	for _, pod := range l.pods {
		kubectl(t, "delete", "pod", pod, "--namespace", samplesNamespace, "--ignore-not-found", "--wait=false")
	}
}

func (l *load) ask(t *testing.T, pod string) account {
	t.Helper()
	return decode[account](t, kubectl(t, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/", samplesNamespace, pod, reportPort)))
}

// awaitFlows waits until every pod has come to the end of some flows more.
func (l *load) awaitFlows(t *testing.T) {
	t.Helper()
	const more = 3
	began := map[string]int{}
	for _, pod := range l.pods {
		began[pod] = l.ask(t, pod).Flows
	}
	eventually(t, time.Minute, "the load does flows", func() bool {
		for _, pod := range l.pods {
			if l.ask(t, pod).Flows < began[pod]+more {
				return false
			}
		}
		return true
	})
}

// during does something under the load, and tells how many flows there were
// meanwhile, how many of them failed, and why.
func (l *load) during(t *testing.T, do func()) (flows, failed int, errors []string) {
	t.Helper()
	before := map[string]account{}
	for _, pod := range l.pods {
		before[pod] = l.ask(t, pod)
	}
	do()
	l.awaitFlows(t)
	for _, pod := range l.pods {
		after := l.ask(t, pod)
		flows += after.Flows - before[pod].Flows
		failed += after.Failed - before[pod].Failed
		errors = append(errors, after.Errors[min(len(before[pod].Errors), len(after.Errors)):]...)
	}
	return flows, failed, errors
}

// withoutFailure demands that no flow fails meanwhile, and notes how many there were.
func (l *load) withoutFailure(t *testing.T, what string, do func()) {
	t.Helper()
	var took time.Duration
	flows, failed, errors := l.during(t, func() { took = timed(do) })
	if failed > 0 {
		t.Errorf("%s: %d of %d flows failed:\n%s", what, failed, flows, strings.Join(errors, "\n"))
	}
	figures.note(t, "%s: %s, %d flows meanwhile, %d failed", what, took, flows, failed)
}
