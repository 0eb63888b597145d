package webhook_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

func TestSamplesAreAdmittedWithoutWarnings(t *testing.T) {
	t.Parallel()
	validator := &webhook.Validator{Installation: "test"}
	for _, name := range []string{"private-key-jwt.yaml", "tls-client-auth.yaml", "dpop.yaml", "message-signing.yaml"} {
		if warnings, err := validator.ValidateCreate(t.Context(), sample(t, name)); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings %q", name, err, warnings)
		}
	}
}

func TestRefusalNamesFieldRuleClauseAndRemedyOfEachFault(t *testing.T) {
	t.Parallel()
	_, err := (&webhook.Validator{}).ValidateCreate(t.Context(), sample(t, "broken.yaml"))
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
	if _, err := (&webhook.Validator{}).ValidateUpdate(t.Context(), sample(t, "dpop.yaml"), sample(t, "broken.yaml")); err == nil {
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
		_, err := (&webhook.Validator{ServerClassName: test.served}).ValidateCreate(t.Context(), application)
		if judged := err != nil; judged != test.judged {
			t.Errorf("class %q at an operator of class %q: judged %v, want %v", test.stated, test.served, judged, test.judged)
		}
	}
}

func TestDeletionIsNeverRefused(t *testing.T) {
	t.Parallel()
	if _, err := (&webhook.Validator{}).ValidateDelete(t.Context(), sample(t, "broken.yaml")); err != nil {
		t.Error(err)
	}
}
