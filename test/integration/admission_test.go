package integration

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// ruleID finds the rule in a webhook's message: "... (RULE; clause) ...".
var ruleID = regexp.MustCompile(`\(([A-Z][A-Za-z0-9.]*-[A-Za-z0-9.-]+); `)

// refusal lists rule and field of each cause of a refusal.
func refusal(t *testing.T, err error) (rules, fields []string) {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		t.Fatalf("%v is no refusal with causes", err)
	}
	for _, cause := range status.Status().Details.Causes {
		found := ruleID.FindStringSubmatch(cause.Message)
		if found == nil {
			t.Fatalf("cause %q names no rule", cause.Message)
		}
		rules, fields = append(rules, found[1]), append(fields, cause.Field)
	}
	return rules, fields
}

func TestBrokenSampleIsRefusedWithFiveRulesAtOnce(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	_, err := b.TryKubectl(t, "apply", "--namespace", b.namespace, "-f", filepath.Join(root, "config", "samples", "broken.yaml"))
	if err == nil {
		t.Fatal("the broken sample was admitted")
	}
	var rules []string
	for _, found := range ruleID.FindAllStringSubmatch(err.Error(), -1) {
		rules = append(rules, found[1])
	}
	slices.Sort(rules)
	want := []string{
		"FAPI2-SP-FINAL-5.3.2.1-6", "FAPI2-SP-FINAL-5.3.2.2-1", "FAPI2-SP-FINAL-5.3.2.2-5", "FAPI2-SP-FINAL-5.3.2.2-8", "FAPI2-SP-FINAL-5.4.1-1",
	}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s\n%v", diff, err)
	}
}

// Manifests that the schema admits and whose fault is in what the operator makes of them.
func TestManifestRules(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	tests := []struct {
		name  string
		spec  string // merged over the client with a managed key
		rule  string
		field string
	}{
		{"client identifier of another namespace", `clientID: other.planner`, "LOCAL-CLIENT-ID-NAMESPACE", "spec.clientID"},
		{"two scopes in an item", `scopes: ["openid accounts"]`, "LOCAL-SCOPE-ITEM", "spec.scopes"},
		{"lifetime with a fraction", `accessToken: {senderConstraint: DPoP, lifetime: 60500ms}`, "LOCAL-WHOLE-SECONDS", "spec.accessToken.lifetime"},
		{"managed key for another algorithm", `keys: {source: Managed, managed: {signingAlg: PS256}}`, "LOCAL-MANAGED-KEY", "spec.keys.managed.signingAlg"},
		{"managed key for an unknown algorithm", `keys: {source: Managed, managed: {signingAlg: HS256}}`, "LOCAL-MANAGED-KEY", "spec.keys.managed.signingAlg"},
		{"key that rotates too often", `keys: {source: Managed, managed: {rotation: {period: 59m, overlap: 5m}}}`, "LOCAL-KEY-ROTATION", "spec.keys.managed.rotation"},
		{"overlap as long as the period", `keys: {source: Managed, managed: {rotation: {period: 2h, overlap: 2h}}}`, "LOCAL-KEY-ROTATION", "spec.keys.managed.rotation"},
		{"short overlap", `keys: {source: Managed, managed: {rotation: {overlap: 4m59s}}}`, "LOCAL-KEY-ROTATION", "spec.keys.managed.rotation"},
		{"managed certificate named besides", `
clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {bundle: roots}}}
mutualTLS: {certificate: {issuerRef: {name: ca}}}`, "LOCAL-MANAGED-CERTIFICATE", "spec.clientAuthentication.tls"},
		{"entry that no binding has", `binding: {entries: {token_endpoint: token}}`, "LOCAL-BINDING-ENTRY", "spec.binding.entries"},
		{"two entries of one name", `binding: {entries: {issuer: client-id}}`, "LOCAL-BINDING-NAME", "spec.binding.entries"},
		{"entry with the name of something else", `binding: {entries: {ca.crt: certificates}}`, "LOCAL-BINDING-WELL-KNOWN", "spec.binding.entries"},
		{"short certificate key", `mutualTLS: {certificate: {issuerRef: {name: ca}, privateKey: {algorithm: RSA, size: 1024}}}`, "LOCAL-CERTIFICATE-KEY", "spec.mutualTLS.certificate.privateKey.size"},
		{"renewal before the beginning", `mutualTLS: {certificate: {issuerRef: {name: ca}, duration: 2h, renewBefore: 3h}}`, "LOCAL-CERTIFICATE-DURATION", "spec.mutualTLS.certificate.duration"},
		{"short overlap of certificates", `mutualTLS: {certificate: {issuerRef: {name: ca}, overlap: 4m59s}}`, "LOCAL-CERTIFICATE-OVERLAP", "spec.mutualTLS.certificate.overlap"},
		{"overlap as long as a certificate", `mutualTLS: {certificate: {issuerRef: {name: ca}, duration: 2h, overlap: 2h}}`, "LOCAL-CERTIFICATE-OVERLAP", "spec.mutualTLS.certificate.overlap"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rules, fields := refusal(t, b.dryRun(t, merge(t, dpopSpec, test.spec)))
			if !slices.Equal(rules, []string{test.rule}) || !slices.Equal(fields, []string{test.field}) {
				t.Errorf("refused by %q at %q, want %s at %s", rules, fields, test.rule, test.field)
			}
		})
	}
}

// What is only known after admission breaks no rule at admission.
func TestReferencesThatAreNotResolvedYetAreAdmitted(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, spec := range []string{
		`keys: {source: SecretRef, secretRef: {name: later, key: jwks.json}}`,
		`keys: {source: ConfigMapRef, configMapRef: {name: later, key: jwks.json}}`,
		`clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {configMapRef: {name: later, key: ca.crt}}}}`,
		`{clientAuthentication: {method: tls_client_auth}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
		`{clientAuthentication: {method: self_signed_tls_client_auth}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
	} {
		if err := b.dryRun(t, merge(t, dpopSpec, spec)); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
	names := `clientAuthentication: {method: private_key_jwt, tls: {trustAnchors: {configMapRef: {name: later, key: ca.crt}}}}`
	if rules, _ := refusal(t, b.dryRun(t, merge(t, dpopSpec, names))); !slices.Equal(rules, []string{"LOCAL-CERTIFICATE-MATCHER"}) {
		t.Errorf("issuers of a certificate that is not used are refused by %q", rules)
	}
}

func (b *bank) dryRun(t *testing.T, spec string) error {
	t.Helper()
	return b.kube.Create(t.Context(), b.application("trial", spec), client.DryRunAll)
}

func TestPrivateKeysAreRefusedAndNotEchoed(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	const secret = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
	err := b.dryRun(t, merge(t, dpopSpec, `keys: {source: JWKS, jwks: {keys: [{kty: EC, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM, d: `+secret+`}]}}`))
	if rules, _ := refusal(t, err); !slices.Equal(rules, []string{"RFC7517-9.2"}) {
		t.Errorf("refused by %q", rules)
	}
	if strings.Contains(err.Error(), secret) {
		t.Error("the refusal quotes the private key")
	}
}

func TestUnwiseSettingsAreWarnedAbout(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	output := b.warningsAbout(t, merge(t, dpopSpec, `allowedOrigins: ["https://app.example.com"]`))
	if !strings.Contains(output, "Warning: spec.allowedOrigins") || !strings.Contains(output, "LOCAL-ADVICE-ORIGINS") {
		t.Errorf("no warning about allowed origins: %s", output)
	}
}

// A rule that became stricter, or an operator that is down, must not keep an
// object from being labeled or removed.
func TestUpdateThatLeavesTheSpecEqualPasses(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.create(t, "old", `{grantTypes: [password], clientAuthentication: {method: none}}`)
	b.startOperator(t)
	b.awaitCondition(t, "old", v1alpha1.ConditionReady, v1alpha1.ReasonRefused)
	b.Kubectl(t, "label", "--namespace", b.namespace, "fapiapp/old", "team=payments")
	if _, err := b.TryKubectl(t, "patch", "--namespace", b.namespace, "fapiapp/old", "--type=merge", "--patch", `{"spec":{"clientName":"Old"}}`); err == nil {
		t.Error("a change of a spec that rules refuse was admitted")
	}
	b.stop()
	b.Kubectl(t, "label", "--namespace", b.namespace, "fapiapp/old", "team=accounts", "--overwrite")
	if _, err := b.TryKubectl(t, "patch", "--namespace", b.namespace, "fapiapp/old", "--type=merge", "--patch", `{"spec":{"clientName":"Old"}}`); err == nil {
		t.Error("a change of a spec was admitted while the webhook was down")
	}
	b.delete(t, "old")
	b.awaitGone(t, "old")
}

func TestDeletionPassesWhileTheWebhookIsDown(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.create(t, "second", dpopSpec)
	b.awaitReady(t, "planner")
	b.awaitReady(t, "second")
	b.stop()
	b.delete(t, "planner")
	b.delete(t, "second")
	b.Kubectl(t, "patch", "--namespace", b.namespace, "fapiapp/second", "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`)
	b.awaitGone(t, "second")
	b.startOperator(t)
	b.awaitGone(t, "planner")
	b.requireNoClient(t, "planner")
}

func (b *bank) warningsAbout(t *testing.T, spec string) string {
	t.Helper()
	recorder := &warnings{}
	config := *b.Config
	config.WarningHandlerWithContext = recorder
	kube, err := client.New(&config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := kube.Create(t.Context(), b.application("trial", spec), client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	return strings.Join(recorder.texts, "\n")
}

// warnings keeps what the API server warns about, as kubectl shows it.
type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.texts = append(w.texts, "Warning: "+text)
}

// Policies and applications are known from a watch: admission asks nobody, so that
// it gives no slower answers when there is more of them.
func TestAdmissionMakesNoRequest(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	// A dry run leaves nothing that the controller would look at meanwhile. What is
	// watched from the first on is watched after it.
	if err := b.kube.Create(t.Context(), b.application("first", dpopSpec), client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	before := len(b.requests.since(0))
	for i := range 20 {
		if err := b.kube.Create(t.Context(), b.application(fmt.Sprintf("app-%d", i), dpopSpec), client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		refused := b.application("refused", `{grantTypes: [password], clientAuthentication: {method: none}}`)
		if err := b.kube.Create(t.Context(), refused, client.DryRunAll); !apierrors.IsInvalid(err) {
			t.Fatalf("not refused: %v", err)
		}
	}
	if made := b.requests.since(before); len(made) > 0 {
		t.Errorf("40 manifests were judged with requests to the API server: %v", made)
	}
}
