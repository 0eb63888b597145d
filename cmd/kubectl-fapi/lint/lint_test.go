package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/lint"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
)

// shared has read the schemas once for all tests.
var shared = sync.OnceValues(func() (*lint.Linter, error) { return lint.New("bank", fapi.Limits{}) })

func judge(t *testing.T, limits fapi.Limits, file string, content []byte) lint.Report {
	t.Helper()
	with, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	linter := *with
	linter.Limits = limits
	return linter.Judge(t.Context(), manifest.Read(file, content))
}

// least is an application that is fine, with more lines below its spec.
func least(spec string) string {
	return `apiVersion: fapi-operator.io/v1alpha1
kind: FAPIApplication
metadata:
  name: app
spec:
  grantTypes: [client_credentials]
  clientAuthentication: {method: private_key_jwt}
  keys: {source: Managed}
` + spec
}

// Every vector that a manifest can say, as a file, breaks the rules that the rule
// book names. Identifiers are judged besides, since vectors choose theirs freely.
func TestVectorsBreakTheSameRulesInAFile(t *testing.T) {
	t.Parallel()
	for _, vector := range vectors.Registration() {
		if !vector.Manifest {
			continue
		}
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			report := judge(t, fapi.Limits{}, vector.Name, manifestOf(t, vector))
			want := append([]oauth.RuleID{"LOCAL-CLIENT-ID-NAMESPACE"}, vector.Breaks...)
			if diff := cmp.Diff(want, report.Rules()); diff != "" {
				t.Errorf("%s\nbroken rules (-rule book +lint):\n%s\n%+v", vector.Description, diff, report.Findings)
			}
			for _, finding := range report.Findings {
				if finding.Check != lint.CheckRule {
					t.Errorf("not a matter of rules: %+v", finding)
				}
			}
		})
	}
}

// What a server offers is not known in a file, but may be stated.
func TestWhatTheServerOffersIsJudgedWhereItIsKnown(t *testing.T) {
	t.Parallel()
	limits := fapi.Limits{
		Scopes:                    vectors.Scopes(),
		Resources:                 vectors.Resources(),
		AuthorizationDetailsTypes: vectors.AuthorizationDetailsTypes(),
		TrustBundles:              []string{vectors.TrustBundle},
	}
	for _, vector := range vectors.Registration() {
		switch vector.Name {
		case "scope-not-offered", "introspection-resource-unknown", "authorization-details-type-not-offered", "trust-bundle-unknown":
			report := judge(t, limits, vector.Name, manifestOf(t, vector))
			want := append([]oauth.RuleID{"LOCAL-CLIENT-ID-NAMESPACE"}, vector.Breaks...)
			if diff := cmp.Diff(want, report.Rules()); diff != "" {
				t.Errorf("%s: broken rules (-want +got):\n%s", vector.Name, diff)
			}
		}
	}
}

func manifestOf(t *testing.T, vector vectors.Vector) []byte {
	t.Helper()
	metadata, err := registration.DecodeMetadata(vector.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	content, err := yaml.Marshal(map[string]any{
		"apiVersion": "fapi-operator.io/v1alpha1",
		"kind":       lint.Kind,
		"metadata":   map[string]string{"name": "vector", "namespace": "elsewhere"},
		"spec":       clientmetadata.ToSpec(metadata),
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestSamplesAreFineAndTheBrokenOneIsNamedFiveTimes(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]int{"private-key-jwt.yaml": 0, "tls-client-auth.yaml": 0, "dpop.yaml": 0, "message-signing.yaml": 0, "broken.yaml": 5} {
		content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", "samples", name))
		if err != nil {
			t.Fatal(err)
		}
		report := judge(t, fapi.Limits{}, name, content)
		if report.Judged != 1 || len(report.Rules()) != rules || len(report.Findings) != rules || len(report.Warnings) > 0 {
			t.Errorf("%s: %+v", name, report)
		}
	}
}

func TestWhatWouldBeDroppedIsAFinding(t *testing.T) {
	t.Parallel()
	content := least("  redirectUris: []\n  pkce:\n    require: true\n  scopes: [a]\n  scopes: [b]\n")
	content = strings.Replace(content, "  name: app\n", "  name: app\n  lables: {a: b}\n", 1)
	type found struct {
		Field, Remedy string
		Line          int
	}
	got := map[found]bool{}
	for _, finding := range judge(t, fapi.Limits{}, "file.yaml", []byte(content)).Findings {
		got[found{finding.Field, finding.Remedy, finding.Line}] = true
	}
	want := map[found]bool{
		{"metadata.lables", "remove it", 5}:             true,
		{"spec.redirectUris", "write redirectURIs", 10}: true,
		{"spec.pkce.require", "remove it", 12}:          true,
		{"spec.scopes", "state it once", 14}:            true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestSchemaIsAskedAsByTheAPIServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, field, demand string }{
		"wrong type":      {least("  suspended: \"true\"\n"), "spec.suspended", "boolean"},
		"unknown word":    {least("  deletionPolicy: Keep\n"), "spec.deletionPolicy", "Delete"},
		"CEL":             {least("  accessToken: {lifetime: 1d}\n"), "spec.accessToken.lifetime", "must be a duration"},
		"set":             {least("  scopes: [a, a]\n"), "spec.scopes[1]", "Duplicate"},
		"name in capital": {strings.Replace(least(""), "name: app", "name: App", 1), "metadata.name", "lowercase"},
		"no name":         {strings.Replace(least(""), "metadata:\n  name: app", "metadata: {}", 1), "metadata.name", "name or generateName is required"},
		"no metadata":     {strings.Replace(least(""), "metadata:\n  name: app\n", "", 1), "metadata.name", "name or generateName is required"},
		"other version":   {strings.Replace(least(""), "/v1alpha1", "/v1", 1), "kind", "no such kind or version"},
		"no version":      {strings.Replace(least(""), "apiVersion: fapi-operator.io/v1alpha1\n", "", 1), "kind", "no such kind or version"},
		"no spec":         {"apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIApplication\nmetadata: {name: app}\n", "spec", "Required"},
	} {
		report := judge(t, fapi.Limits{}, name, []byte(test.content))
		found := false
		for _, finding := range report.Findings {
			found = found || finding.Field == test.field && strings.Contains(finding.Demand, test.demand)
		}
		if !found {
			t.Errorf("%s: want %s with %q in %+v", name, test.field, test.demand, report.Findings)
		}
	}
}

// The schema's verdict does not hide the rule book's: a person sees all at once.
func TestSchemaAndRulesAreTold(t *testing.T) {
	t.Parallel()
	report := judge(t, fapi.Limits{}, "file.yaml", []byte(least("  deletionPolicy: Keep\n  pkce: {method: plain}\n")))
	if len(report.Findings) < 2 || len(report.Rules()) == 0 {
		t.Errorf("findings %+v", report.Findings)
	}
}

func TestFindingsQuoteNoValue(t *testing.T) {
	t.Parallel()
	const private = "MIIEvQIBADANBgkqhkiG9w0"
	for _, keys := range []string{`jwks: "` + private + `"`, `jwks: {keys: [{kty: EC, d: ` + private + `}]}`, `jwks: [` + private + `]`, `jwksURI: ` + private} {
		content := strings.Replace(least(""), "{source: Managed}", "{source: JWKS, "+keys+"}", 1)
		var out strings.Builder
		report := judge(t, fapi.Limits{}, "file.yaml", []byte(content))
		if err := report.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) == 0 || strings.Contains(out.String(), private) {
			t.Errorf("%s: %s", keys, out.String())
		}
	}
}

func TestOtherKindsAreSkippedAndCounted(t *testing.T) {
	t.Parallel()
	content := "kind: ConfigMap\napiVersion: v1\n---\nreplicas: 2\n---\n" + least("")
	report := judge(t, fapi.Limits{}, "file.yaml", []byte(content))
	if want := "1 FAPIApplication judged, 2 other documents skipped: 0 findings, 0 warnings"; report.Summary() != want {
		t.Errorf("summary %q, want %q", report.Summary(), want)
	}
}

func TestPoliciesAmongTheFilesBound(t *testing.T) {
	t.Parallel()
	policies := func(namespace string) string {
		return "apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIPolicy\nmetadata: {name: bounds}\nspec: {namespaces: [" + namespace + "], maxAccessTokenLifetime: 1m}\n---\n"
	}
	report := judge(t, fapi.Limits{}, "file.yaml", []byte(policies(`"bank*"`)+least("")))
	if len(report.Findings) != 1 || report.Findings[0].Rule != "LOCAL-POLICY-ACCESS-TOKEN-LIFETIME" || report.Findings[0].Clause != "FAPIPolicy bounds" || report.Findings[0].Line != 10 {
		t.Errorf("findings %+v", report.Findings)
	}
	if want := "1 FAPIApplication judged by 1 FAPIPolicy, 0 other documents skipped: 1 finding, 0 warnings"; report.Summary() != want {
		t.Errorf("summary %q, want %q", report.Summary(), want)
	}
	if report := judge(t, fapi.Limits{}, "file.yaml", []byte(policies("other")+least(""))); len(report.Findings) > 0 {
		t.Errorf("another namespace's policy bounds: %+v", report.Findings)
	}
}

func TestPoliciesAreJudgedBySchema(t *testing.T) {
	t.Parallel()
	report := judge(t, fapi.Limits{}, "file.yaml", []byte("apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIPolicy\nmetadata: {name: bounds}\nspec:\n  namespaces: []\n  redirecthosts: []\n"))
	fields := map[string]bool{}
	for _, finding := range report.Findings {
		fields[finding.Field] = true
	}
	if diff := cmp.Diff(map[string]bool{"spec.namespaces": true, "spec.redirecthosts": true}, fields); diff != "" {
		t.Errorf("fields at fault (-want +got):\n%s", diff)
	}
}

// What kubectl get writes, with status and metadata of the cluster, is judged too.
func TestObjectOutOfAClusterIsFine(t *testing.T) {
	t.Parallel()
	content := strings.Replace(least("status:\n  observedGeneration: 3\n  conditions: []\n"), "  name: app\n",
		"  name: app\n  uid: 4a0a\n  resourceVersion: \"7\"\n  generation: 3\n  creationTimestamp: \"2026-01-01T00:00:00Z\"\n  managedFields: [{manager: kubectl, operation: Apply}]\n", 1)
	if report := judge(t, fapi.Limits{}, "file.yaml", []byte(content)); len(report.Findings) > 0 {
		t.Errorf("findings %+v", report.Findings)
	}
}

func TestAdviceIsAWarning(t *testing.T) {
	t.Parallel()
	report := judge(t, fapi.Limits{}, "file.yaml", []byte(least("  accessToken: {lifetime: 30m}\n")))
	if len(report.Findings) > 0 || len(report.Warnings) != 1 || report.Warnings[0].Field != "spec.accessToken.lifetime" {
		t.Errorf("report %+v", report)
	}
}

func TestALineOfTextIsWhatCompilersWrite(t *testing.T) {
	t.Parallel()
	content := least("  pkce:\n    method: plain\n") + "---\n" + strings.Replace(least(""), "name: app", "name: \"a\\e[31m\"", 1)
	var out strings.Builder
	if err := judge(t, fapi.Limits{}, "file.yaml", []byte(content)).WriteText(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "file.yaml:10: bank/app: spec.pkce.method: ") {
		t.Errorf("no file, line, name and field first: %s", out.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("an escape sequence of the file reaches the terminal: %q", out.String())
	}
}

// Whatever a file holds, it is judged to the end.
func FuzzJudge(f *testing.F) {
	linter, err := lint.New("bank", fapi.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(least("  scopes: [openid]\n"))
	f.Add(least("  scopes: null\n  keys: {source: JWKS, jwks: {keys: [{kty: RSA}]}}\n"))
	f.Add(least("  accessToken: {lifetime: 1d}\nmetadata: text\n"))
	f.Add("apiVersion: fapi-operator.io/v1alpha1\nkind: FAPIApplication\nspec: []\nmetadata: {annotations: 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		report := linter.Judge(t.Context(), manifest.Read("fuzz", []byte(text)))
		for _, finding := range report.Findings {
			if finding.Demand == "" || finding.Line < 1 {
				t.Errorf("a finding without words or place: %+v", finding)
			}
		}
	})
}
