package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/test/testenv"
)

// policedBank is a namespace without operator and webhook, in which the API
// server judges by the generated policy.
type policedBank struct {
	*bank
	told *warnings
}

func openPolicedBank(t *testing.T) *policedBank {
	t.Helper()
	environment := testenv.Start(t)
	told := &warnings{}
	config := *environment.Config
	config.WarningHandlerWithContext = told
	kube, err := client.New(&config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return &policedBank{&bank{Environment: environment, kube: kube, namespace: environment.Namespace(t)}, told}
}

func (b *policedBank) policy() *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "integration-" + b.namespace}}
}

// installPolicy applies the generated policy, for this namespace alone.
func (b *policedBank) installPolicy(t *testing.T, action admissionregistrationv1.ValidationAction) {
	t.Helper()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := yaml.UnmarshalStrict(readFile(t, root, "config", "webhook", "policy.yaml"), policy); err != nil {
		t.Fatal(err)
	}
	policy.Name = b.policy().Name
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{action},
			MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": b.namespace},
			}},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		if err := b.kube.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.kube.Delete(context.Background(), object); err != nil {
				t.Error(err)
			}
		})
	}
	b.eventually(t, "the API server judges by the policy", func(context.Context) error {
		if _, err := b.judgedByPolicy(t, b.application("probe", `{grantTypes: [password], clientAuthentication: {method: none}}`)); err == nil && len(b.told.texts) == 0 {
			return errors.New("an application that is not FAPI went unnoticed")
		}
		return nil
	})
}

// judgedByPolicy is what the policy tells of the application.
func (b *policedBank) judgedByPolicy(t *testing.T, application *v1alpha1.FAPIApplication) ([]string, error) {
	t.Helper()
	b.told.texts = nil
	err := b.kube.Create(t.Context(), application, client.DryRunAll)
	var findings []string
	for _, text := range b.told.texts {
		if _, finding, ours := strings.Cut(text, fmt.Sprintf("binding '%s': ", b.policy().Name)); ours {
			findings = append(findings, finding)
		}
	}
	return findings, err
}

// judgedByWebhook is what the webhook tells of the application; wholly holds what
// of it the policy is to tell, too.
func judgedByWebhook(application *v1alpha1.FAPIApplication) (all, wholly []string) {
	resolved := clientmetadata.Resolved{CertificateURI: clientmetadata.CertificateURI(installation, clientmetadata.ClientID(application))}
	for _, finding := range clientmetadata.Judge(application, resolved, fapi.Limits{}) {
		all = append(all, finding.String())
		isSaid := func(rule fapi.ConditionalRule) bool {
			return rule.ID == finding.Rule && rule.Member == finding.Member && rule.IsAll
		}
		if slices.ContainsFunc(fapi.ConditionalRules(), isSaid) {
			wholly = append(wholly, finding.String())
		}
	}
	return all, wholly
}

func TestPolicyTellsWhatTheWebhookTells(t *testing.T) {
	t.Parallel()
	b := openPolicedBank(t)
	b.installPolicy(t, admissionregistrationv1.Warn)
	told := map[string]bool{}
	for name, application := range b.applicationsToJudge(t) {
		findings, err := b.judgedByPolicy(t, application)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		all, wholly := judgedByWebhook(application)
		for _, finding := range findings {
			told[finding] = true
			if !slices.Contains(all, finding) {
				t.Errorf("%s: the policy alone finds: %s", name, finding)
			}
		}
		for _, finding := range wholly {
			if !slices.Contains(findings, finding) {
				t.Errorf("%s: the policy does not find: %s", name, finding)
			}
		}
	}
	policy := b.requireCleanTypes(t)
	for _, validation := range policy.Spec.Validations {
		if !told[validation.Message] {
			t.Errorf("no application breaks: %s", validation.Message)
		}
	}
}

// vectorApplications are the vectors that a manifest can say.
func (b *policedBank) vectorApplications(t *testing.T) map[string]*v1alpha1.FAPIApplication {
	t.Helper()
	applications := map[string]*v1alpha1.FAPIApplication{}
	for _, vector := range vectors.Registration() {
		if vector.Manifest {
			_, applications["vector "+vector.Name] = b.manifest(t, vector)
		}
	}
	return applications
}

// largestApplication breaks no rule, and costs the API server as much as any that
// the schema and the rules let through.
func (b *policedBank) largestApplication() *v1alpha1.FAPIApplication {
	application := b.application("largest", dpopSpec)
	spec := &application.Spec
	long := func(format string, number, length int) string {
		text := fmt.Sprintf(format, number)
		return text + strings.Repeat("a", length-len(text))
	}
	fill := func(count, length int, format string) []string {
		var texts []string
		for i := range count {
			texts = append(texts, long(format, i, length))
		}
		return texts
	}
	spec.ApplicationType, spec.ClientName = "native", strings.Repeat("Ü", fapi.MaxClientNameLength)
	spec.RedirectURIs = fill(64, fapi.MaxURILength, "http://127.0.0.1/%d/")
	spec.Contacts = fill(16, fapi.MaxContactLength, "%d")
	spec.Scopes = fill(fapi.MaxListEntries, 256, "%d")
	spec.AuthorizationDetailsTypes = fill(fapi.MaxListEntries, 256, "%d")
	spec.Introspection = &v1alpha1.Introspection{Resources: fill(fapi.MaxListEntries, fapi.MaxURILength, "https://api.example.com/%d/")}
	spec.ClientURI = long("https://app.example.com/%d", 1, fapi.MaxURILength)
	spec.LogoURI, spec.PolicyURI, spec.TOSURI = spec.ClientURI, spec.ClientURI, spec.ClientURI
	return application
}

// applicationsToJudge are the vectors, the largest application, and manifests in
// which the operator states a part, or a URI is written to be misread.
func (b *policedBank) applicationsToJudge(t *testing.T) map[string]*v1alpha1.FAPIApplication {
	t.Helper()
	applications := b.vectorApplications(t)
	applications["the largest"] = b.largestApplication()
	for _, spec := range []string{
		`keys: {source: SecretRef, secretRef: {name: later, key: jwks.json}}`,
		`clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {configMapRef: {name: later, key: ca.crt}}}}`,
		`clientAuthentication: {method: private_key_jwt, tls: {trustAnchors: {configMapRef: {name: later, key: ca.crt}}}}`,
		`{clientAuthentication: {method: tls_client_auth}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
		`{clientAuthentication: {method: tls_client_auth, tls: {}}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
		`{clientAuthentication: {method: self_signed_tls_client_auth}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
		`{clientAuthentication: {method: self_signed_tls_client_auth}, keys: {source: JWKSURI, jwksURI: "https://app.example.com/keys"}, mutualTLS: {certificate: {issuerRef: {name: later}}}}`,
		`{keys: null, clientAuthentication: {method: self_signed_tls_client_auth}}`,
		`{keys: null, messageSigning: {requests: Required}}`,
		`{keys: null, authorizationResponse: {encryptedResponseAlg: ECDH-ES}, idToken: {encryptedResponseAlg: ECDH-ES}, introspection: {response: {encryptedResponseAlg: ECDH-ES}}, userinfo: {encryptedResponseAlg: ECDH-ES}}`,
		"authorizationDetailsTypes: [" + numbered(fapi.MaxListEntries) + "]", "authorizationDetailsTypes: [" + numbered(fapi.MaxListEntries+1) + "]",
		`{grantTypes: [client_credentials], redirectURIs: null, responseTypes: []}`,
		`{responseTypes: []}`,
		`{keys: {source: JWKS, jwks: {}}}`, `{keys: {source: JWKS, jwks: {keys: {}}}}`, `{keys: {source: JWKS, jwks: {keys: ["d", 1, [d], {kty: oct, k: ""}]}}}`,
		`{keys: {source: JWKS, jwks: {keys: [], d: x}}}`, `{keys: {source: JWKS, jwks: {keys: [{kty: EC, x5c: [d]}]}}}`,
		`accessToken: {lifetime: 29.9s}`,
		`clientName: "  "`,
		"clientName: \"Bank\\u202e\"",
		`{contacts: ["", "Ünïcödé Ⅷ 銀行 😀"]}`,
	} {
		applications[spec] = b.application("trial", withoutNulls(t, merge(t, dpopSpec, spec)))
	}
	for _, uri := range []string{
		"HTTPS://app.example.com/cb", "HTTP://127.0.0.1:8080/cb", "http://[::1]/cb", "http://127.0.0.1@evil.example/", "http://127.0.0.1.evil.example/",
		"http://user@127.0.0.1/cb", "http://LOCALHOST:1/cb", "http://localhost.evil.example/", "http://[::1", "httpſ://app.example.com", "//app.example.com/cb",
		"https://app.example.com/a/%2e%2E/b", "https://app.example.com/a%2f..", "https://app.example.com/..?x", "https://app.example.com/?../..", "https://app.example.com/.well-known",
		"https://app.example.com/...", "https://app.example.com/#", "https://:443/cb", "https://@app.example.com", "https://app.example.com/%zz", "mailto:a@b", "a b", " https://app.example.com/cb", "",
		"https://app.example.com/" + strings.Repeat("é", 1990), "https://app.example.com/" + strings.Repeat("a", 1976), "https://app.example.com/" + strings.Repeat("a", 1977),
	} {
		for _, kind := range []string{"web", "native"} {
			application := b.application("trial", dpopSpec)
			application.Spec.ApplicationType, application.Spec.RedirectURIs = kind, []string{uri}
			application.Spec.ClientURI, application.Spec.Introspection = uri, &v1alpha1.Introspection{Resources: []string{uri}}
			applications[kind+" "+uri] = application
		}
	}
	return applications
}

// numbered are so many items of a list in YAML.
func numbered(count int) string {
	var items []string
	for i := range count {
		items = append(items, fmt.Sprintf("type-%d", i))
	}
	return strings.Join(items, ", ")
}

// withoutNulls takes fields out that are null, as kubectl does.
func withoutNulls(t *testing.T, spec string) string {
	t.Helper()
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		if value == nil {
			delete(fields, name)
		}
	}
	text, err := yaml.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// requireCleanTypes asks what the API server's type checker found in the expressions.
func (b *policedBank) requireCleanTypes(t *testing.T) *admissionregistrationv1.ValidatingAdmissionPolicy {
	t.Helper()
	policy := b.policy()
	b.eventually(t, "the policy's expressions are checked", func(ctx context.Context) error {
		if err := b.kube.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		if policy.Status.ObservedGeneration != policy.Generation || policy.Status.TypeChecking == nil {
			return errors.New("not yet")
		}
		return nil
	})
	if diff := cmp.Diff([]admissionregistrationv1.ExpressionWarning(nil), policy.Status.TypeChecking.ExpressionWarnings); diff != "" {
		t.Errorf("warnings:\n%s", diff)
	}
	return policy
}

func TestPolicyRefusesWithTheFirstRuleThatIsBroken(t *testing.T) {
	t.Parallel()
	b := openPolicedBank(t)
	b.create(t, "old", `{grantTypes: [password], clientAuthentication: {method: none}}`)
	b.installPolicy(t, admissionregistrationv1.Deny)
	applications := b.vectorApplications(t)
	applications["the largest"] = b.largestApplication()
	for name, application := range applications {
		_, err := b.judgedByPolicy(t, application)
		all, wholly := judgedByWebhook(application)
		switch {
		case err == nil && len(wholly) > 0:
			t.Errorf("%s: admitted, which breaks: %s", name, wholly)
		case err != nil && (!apierrors.IsInvalid(err) || !slices.ContainsFunc(all, func(finding string) bool { return strings.HasSuffix(err.Error(), finding) })):
			t.Errorf("%s: refused with %v, want one of %q", name, err, all)
		}
	}
	other := b.application("trial", `{serverClassName: other, grantTypes: [password], clientAuthentication: {method: none}}`)
	if _, err := b.judgedByPolicy(t, other); err != nil {
		t.Errorf("an application that another installation serves is refused: %v", err)
	}
	b.requireOldObjectsFree(t)
}

// requireOldObjectsFree: what a rule did not refuse when it was written may be
// labeled and deleted, but its spec not changed.
func (b *policedBank) requireOldObjectsFree(t *testing.T) {
	t.Helper()
	b.change(t, "old", func(a *v1alpha1.FAPIApplication) {
		a.Labels, a.Finalizers = map[string]string{"team": "payments"}, []string{"example.com/kept"}
	})
	old := b.get(t, "old")
	old.Spec.ClientName = "Old"
	if err := b.kube.Update(t.Context(), old); !apierrors.IsInvalid(err) {
		t.Errorf("a change of a spec that rules refuse: %v", err)
	}
	b.delete(t, "old")
	b.change(t, "old", func(a *v1alpha1.FAPIApplication) { a.Finalizers, a.Spec.ClientName = nil, "Old" })
	b.awaitGone(t, "old")
}
