package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const samples = "../../config/samples"

// execute runs the program, and gives its exit code and what it wrote.
func execute(t *testing.T, stdin string, arguments ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &out, ErrOut: &errOut}
	code = run(t.Context(), arguments, streams)
	return code, out.String(), errOut.String()
}

func sample(name string) string { return filepath.Join(samples, name) }

func TestLintOfFineManifestsEndsWithZero(t *testing.T) {
	t.Parallel()
	code, out, _ := execute(t, "", "lint", "-f", sample("private-key-jwt.yaml"), "-f", sample("dpop.yaml"), "-f", sample("issuer.yaml"))
	if want := "2 FAPIApplications judged, 3 other documents skipped: 0 findings, 0 warnings\n"; code != 0 || out != want {
		t.Errorf("exit code %d, output %q, want 0 and %q", code, out, want)
	}
}

func TestLintOfAFolderFindsTheBrokenOne(t *testing.T) {
	t.Parallel()
	code, out, _ := execute(t, "", "lint", "-f", samples, "-n", "fapi-samples", "-o", "json")
	var report struct {
		Judged   int
		Findings []struct{ File, Namespace, Name, Rule, Clause, Remedy string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if code != exitFindings || report.Judged != 5 || len(report.Findings) != 5 {
		t.Fatalf("exit code %d, report %+v", code, report)
	}
	for _, finding := range report.Findings {
		if finding.File != sample("broken.yaml") || finding.Namespace != "fapi-samples" || finding.Name != "broken" ||
			finding.Rule == "" || finding.Clause == "" || finding.Remedy == "" {
			t.Errorf("finding %+v", finding)
		}
	}
}

func TestLintOfNothingIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"", "# nothing\n", "kind: ConfigMap\napiVersion: v1\n"} {
		if code, out, message := execute(t, input, "lint", "-f", "-"); code != exitError || out != "" || !strings.Contains(message, "nothing was judged") {
			t.Errorf("%q: exit code %d, output %q, message %q", input, code, out, message)
		}
	}
}

func TestLintOfWhatIsNoManifestIsAFinding(t *testing.T) {
	t.Parallel()
	if code, out, _ := execute(t, "kind: [", "lint", "-f", "-"); code != exitFindings || !strings.HasPrefix(out, "stdin:1: ") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

func TestLintFailsOnWarningsWhereItIsAsked(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(sample("dpop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	input := strings.Replace(string(content), "senderConstraint: DPoP", "senderConstraint: DPoP\n    lifetime: 30m", 1)
	for want, arguments := range map[int][]string{0: nil, exitFindings: {"--strict-warnings"}} {
		if code, out, _ := execute(t, input, append([]string{"lint", "-f", "-"}, arguments...)...); code != want || !strings.Contains(out, "warning: ") {
			t.Errorf("%q: exit code %d, want %d; output %q", arguments, code, want, out)
		}
	}
}

func TestLintKnowsWhatFlagsSayOfTheServer(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{{"--scopes", "payments"}, {"--scopes", ""}, {"--max-access-token-lifetime", "2m"}} {
		code, out, message := execute(t, "", append([]string{"lint", "-f", sample("private-key-jwt.yaml")}, arguments...)...)
		if code != exitFindings {
			t.Errorf("%q: exit code %d, %s %s", arguments, code, out, message)
		}
	}
}

func TestWrongUseIsTold(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{
		{"lint"}, {"lint", "-f", "absent.yaml"}, {"lint", "-f", samples, "-o", "xml"}, {"lint", "argument", "-f", samples}, {"unknown"}, {"lint", "--unknown"},
		{"lint", "-f", samples, "--max-access-token-lifetime", "1s"},
		{"export", "--from", "okta", "-"}, {"export", "--from", "hydra-client", "absent.json"}, {"export", "--from", "hydra-client", "-"},
		{"export", "--from", "keycloak-realm"},
	} {
		if code, out, message := execute(t, "", arguments...); code != exitError || out != "" || !strings.HasPrefix(message, "kubectl fapi: ") {
			t.Errorf("%q: exit code %d, output %q, message %q", arguments, code, out, message)
		}
	}
}

func TestExportTellsWhatIsRefusedAndWritesNoSecret(t *testing.T) {
	t.Parallel()
	const client = `{"client_id": "app", "client_secret": "c4n4ry", "grant_types": ["authorization_code"], "redirect_uris": ["https://app.example.com/cb"]}`
	code, out, message := execute(t, client, "export", "--from", "hydra-client", "-", "-n", "retail")
	if code != exitFindings || !strings.Contains(message, "client app: refused: token_endpoint_auth_method: ") || !strings.Contains(message, "client app: not carried over: client_secret: ") {
		t.Errorf("exit code %d, message %s", code, message)
	}
	if strings.Contains(out+message, "c4n4ry") {
		t.Errorf("a secret is written: %s%s", out, message)
	}
	if code, judged, _ := execute(t, out, "lint", "-f", "-"); code != exitFindings || !strings.Contains(judged, "1 FAPIApplication judged") {
		t.Errorf("lint of what was written: exit code %d, %s", code, judged)
	}
}

func TestExportOfWhatIsFAPIEndsWithZero(t *testing.T) {
	t.Parallel()
	const client = `{"client_id": "retail.app", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example.com/jwks"}`
	if code, out, message := execute(t, client, "export", "--from", "hydra-client", "-", "-n", "retail"); code != 0 || message != "" {
		t.Errorf("exit code %d, output %s, message %s", code, out, message)
	}
}
