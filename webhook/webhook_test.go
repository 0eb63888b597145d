package webhook_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/webhook"
)

func sample(t *testing.T, name string) *v1alpha1.FAPIApplication {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "config", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	application := &v1alpha1.FAPIApplication{}
	if err := yaml.UnmarshalStrict(document, application); err != nil {
		t.Fatal(err)
	}
	application.Namespace = "fapi-samples"
	return application
}

// policies is a snapshot of these.
func policies(known ...v1alpha1.FAPIPolicy) func(context.Context) ([]v1alpha1.FAPIPolicy, error) {
	return func(context.Context) ([]v1alpha1.FAPIPolicy, error) { return known, nil }
}

func TestSamplesAreAdmittedWithoutWarnings(t *testing.T) {
	t.Parallel()
	validator := &webhook.Validator{Installation: "test", Policies: policies()}
	for _, name := range []string{"private-key-jwt.yaml", "tls-client-auth.yaml", "dpop.yaml", "message-signing.yaml"} {
		if warnings, err := validator.ValidateCreate(t.Context(), sample(t, name)); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings %q", name, err, warnings)
		}
	}
}

func TestRefusalNamesFieldRuleClauseAndRemedyOfEachFault(t *testing.T) {
	t.Parallel()
	_, err := (&webhook.Validator{Policies: policies()}).ValidateCreate(t.Context(), sample(t, "broken.yaml"))
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("%v is no refusal", err)
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		fields = append(fields, cause.Field)
	}
	slices.Sort(fields)
	want := []string{"spec.clientAuthentication.method", "spec.grantTypes", "spec.pkce.method", "spec.redirectURIs", "spec.requestObject.signingAlg"}
	if !slices.Equal(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
	const pkce = "spec.pkce.method: Forbidden: "
	for _, part := range []string{pkce, "(FAPI2-SP-FINAL-5.3.2.2-5; FAPI 2.0 Security Profile, 5.3.2.2-5)", "S256"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message lacks %q: %v", part, err)
		}
	}
}

func TestChangeIsJudgedLikeANewApplication(t *testing.T) {
	t.Parallel()
	if _, err := (&webhook.Validator{Policies: policies()}).ValidateUpdate(t.Context(), sample(t, "dpop.yaml"), sample(t, "broken.yaml")); err == nil {
		t.Error("a change to what is not FAPI was admitted")
	}
}

func TestOnlyTheOwnServerClassIsJudged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		served, stated string
		judged         bool
	}{{"", "", true}, {"retail", "retail", true}, {"", "retail", false}, {"retail", "", false}, {"retail", "corporate", false}} {
		application := sample(t, "broken.yaml")
		application.Spec.ServerClassName = test.stated
		_, err := (&webhook.Validator{ServerClassName: test.served, Policies: policies()}).ValidateCreate(t.Context(), application)
		if judged := err != nil; judged != test.judged {
			t.Errorf("class %q at an operator of class %q: judged %v, want %v", test.stated, test.served, judged, test.judged)
		}
	}
}

func TestPolicyOfTheNamespaceRefusesByItsName(t *testing.T) {
	t.Parallel()
	bounds := v1alpha1.FAPIPolicySpec{Namespaces: []string{"fapi-*"}, RedirectHosts: []string{"*.partner.example"}}
	policy := v1alpha1.FAPIPolicy{ObjectMeta: metav1.ObjectMeta{Name: "partners"}, Spec: bounds}
	validator := &webhook.Validator{Policies: policies(policy)}
	_, err := validator.ValidateCreate(t.Context(), sample(t, "dpop.yaml"))
	for _, part := range []string{"spec.redirectURIs: Forbidden", "LOCAL-POLICY-REDIRECT-HOST", "FAPIPolicy partners"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal lacks %q: %v", part, err)
		}
	}
	elsewhere := sample(t, "dpop.yaml")
	elsewhere.Namespace = "other"
	if _, err := validator.ValidateCreate(t.Context(), elsewhere); err != nil {
		t.Errorf("a policy of other namespaces refused: %v", err)
	}
}

// What is not known yet might bound.
func TestNothingIsAdmittedUntilThePoliciesAreKnown(t *testing.T) {
	t.Parallel()
	unknown := func(context.Context) ([]v1alpha1.FAPIPolicy, error) {
		return nil, errors.New("the cache is not synced")
	}
	_, err := (&webhook.Validator{Policies: unknown}).ValidateCreate(t.Context(), sample(t, "dpop.yaml"))
	if !apierrors.IsServiceUnavailable(err) {
		t.Errorf("admitted, or refused for another reason: %v", err)
	}
}

func TestDeletionIsNeverRefused(t *testing.T) {
	t.Parallel()
	if _, err := (&webhook.Validator{Policies: policies()}).ValidateDelete(t.Context(), sample(t, "broken.yaml")); err != nil {
		t.Error(err)
	}
}
