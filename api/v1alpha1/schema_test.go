package v1alpha1_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Schema and CEL run before validating admission, so a closed list in the schema hides the rule book. These are all
// fields that may have one: the vocabulary is this project's or cert-manager's, and FAPI has no opinion.
var ownVocabulary = []string{
	"spec.accessToken.senderConstraint",
	"spec.deletionPolicy",
	"spec.keys.source",
	"spec.messageSigning.introspection",
	"spec.messageSigning.requests",
	"spec.messageSigning.responses",
	"spec.mutualTLS.certificate.privateKey.algorithm",
}

// Names of things in Kubernetes and our own identifiers, on whose form FAPI has no opinion either.
var ownForm = []string{
	"spec.binding.entries", // so many
	"spec.binding.secretName",
	"spec.clientAuthentication.tls.trustAnchors.bundle",
	"spec.clientAuthentication.tls.trustAnchors.configMapRef.key",
	"spec.clientAuthentication.tls.trustAnchors.configMapRef.name",
	"spec.clientAuthentication.tls.trustAnchors.configMapRef.namespace",
	"spec.clientAuthentication.tls.trustAnchors.pem",
	"spec.clientID",
	"spec.grantTypes", // at least one
	"spec.keys.configMapRef.key",
	"spec.keys.configMapRef.name",
	"spec.keys.configMapRef.namespace",
	"spec.keys.secretRef.key",
	"spec.keys.secretRef.name",
	"spec.keys.secretRef.namespace",
	"spec.mutualTLS.certificate.issuerRef.group",
	"spec.mutualTLS.certificate.issuerRef.kind",
	"spec.mutualTLS.certificate.issuerRef.name",
	"spec.mutualTLS.certificate.secretName",
	"spec.serverClassName",
}

// Where CEL looks: types (a duration), our own unions, and immutability.
var ownRules = []string{
	"",
	"spec",
	"spec.accessToken.lifetime",
	"spec.clientAuthentication.tls.trustAnchors",
	"spec.keys",
	"spec.keys.managed.rotation.overlap",
	"spec.keys.managed.rotation.period",
	"spec.mutualTLS.certificate.duration",
	"spec.mutualTLS.certificate.overlap",
	"spec.mutualTLS.certificate.renewBefore",
}

func TestClosedListsAreOurOwnVocabulary(t *testing.T) {
	t.Parallel()
	got := specFieldsWhere(t, func(s apiextensionsv1.JSONSchemaProps) bool { return s.Enum != nil })
	if diff := cmp.Diff(ownVocabulary, got); diff != "" {
		t.Errorf("fields with an enum (-want +got):\n%s", diff)
	}
}

func TestSchemaHasNoOpinionOnTheFormOfFAPIValues(t *testing.T) {
	t.Parallel()
	want := slices.Sorted(slices.Values(slices.Concat(ownForm, ownVocabulary)))
	got := slices.Sorted(slices.Values(specFieldsWhere(t, constrainsTheForm)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields whose form the schema judges, and not the rule book (-want +got):\n%s", diff)
	}
}

func constrainsTheForm(s apiextensionsv1.JSONSchemaProps) bool {
	isIntegerWidth := s.Type == "integer" && strings.HasPrefix(s.Format, "int")
	return s.Enum != nil || s.Pattern != "" || (s.Format != "" && !isIntegerWidth) ||
		s.MinLength != nil || s.MinItems != nil || s.Minimum != nil || s.Maximum != nil || s.MultipleOf != nil ||
		s.MinProperties != nil || s.MaxProperties != nil || s.Not != nil || s.AllOf != nil || s.AnyOf != nil || s.OneOf != nil
}

func TestCELJudgesTypesUnionsAndImmutability(t *testing.T) {
	t.Parallel()
	got := fieldsWhere(t, func(s apiextensionsv1.JSONSchemaProps) bool { return s.XValidations != nil })
	if diff := cmp.Diff(ownRules, got); diff != "" {
		t.Errorf("fields with CEL rules (-want +got):\n%s", diff)
	}
}

// A default would make the cluster hold what Git does not say. Git says nothing
// of the status, whose default tells that nobody has looked.
func TestNothingThatPeopleWriteHasADefault(t *testing.T) {
	t.Parallel()
	got := fieldsWhere(t, func(s apiextensionsv1.JSONSchemaProps) bool { return s.Default != nil })
	if want := []string{"status"}; !slices.Equal(got, want) {
		t.Errorf("fields with a default: %v, want %v", got, want)
	}
}

func TestEveryFieldExplainsItself(t *testing.T) {
	t.Parallel()
	undocumented := func(s apiextensionsv1.JSONSchemaProps) bool { return strings.TrimSpace(s.Description) == "" }
	for _, path := range fieldsWhere(t, undocumented) {
		if !strings.HasSuffix(path, "[]") { // kubectl explain shows the list's own text
			t.Errorf("%s has no description", path)
		}
	}
}

// Every optional field of the spec says what its absence means.
func TestEveryOptionalSettingSaysWhatAbsenceMeans(t *testing.T) {
	t.Parallel()
	var requiredFields []string
	walkCRD(t, func(path string, s apiextensionsv1.JSONSchemaProps) {
		for _, name := range s.Required {
			requiredFields = append(requiredFields, join(path, name))
		}
	})
	silent := func(s apiextensionsv1.JSONSchemaProps) bool { return !strings.Contains(s.Description, "Absent: ") }
	for _, path := range specFieldsWhere(t, silent) {
		if !slices.Contains(requiredFields, path) && !strings.HasSuffix(path, "[]") {
			t.Errorf("%s does not say what its absence means", path)
		}
	}
}

func TestEveryListSaysHowItMerges(t *testing.T) {
	t.Parallel()
	unspecified := func(s apiextensionsv1.JSONSchemaProps) bool { return s.Type == "array" && s.XListType == nil }
	if got := fieldsWhere(t, unspecified); got != nil {
		t.Errorf("lists without listType: %v", got)
	}
}

// Bounded input bounds what CEL, the rule book and the server have to look at.
func TestEverySizeInTheSpecIsBounded(t *testing.T) {
	t.Parallel()
	unbounded := func(s apiextensionsv1.JSONSchemaProps) bool {
		return s.Type == "string" && s.MaxLength == nil && s.Enum == nil || s.Type == "array" && s.MaxItems == nil
	}
	if got := specFieldsWhere(t, unbounded); got != nil {
		t.Errorf("fields without a bound: %v", got)
	}
}

func specFieldsWhere(t *testing.T, holds func(apiextensionsv1.JSONSchemaProps) bool) []string {
	t.Helper()
	var paths []string
	for _, path := range fieldsWhere(t, holds) {
		if strings.HasPrefix(path, "spec.") {
			paths = append(paths, path)
		}
	}
	return paths
}

// fieldsWhere returns the paths of the fields for which the predicate holds, in alphabetical order, [] for a list's items.
func fieldsWhere(t *testing.T, holds func(apiextensionsv1.JSONSchemaProps) bool) []string {
	t.Helper()
	var paths []string
	walkCRD(t, func(path string, s apiextensionsv1.JSONSchemaProps) {
		if holds(s) {
			paths = append(paths, path)
		}
	})
	return paths
}

func walkCRD(t *testing.T, visit func(path string, s apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	walk("", *loadPublishedCRD(t, crdFile).Spec.Versions[0].Schema.OpenAPIV3Schema, visit)
}

func walk(path string, s apiextensionsv1.JSONSchemaProps, visit func(string, apiextensionsv1.JSONSchemaProps)) {
	if path == "metadata" {
		return // kube-apiserver's own
	}
	visit(path, s)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		walk(join(path, name), s.Properties[name], visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(path+"[]", *s.Items.Schema, visit)
	}
}

func join(path, name string) string {
	return strings.TrimPrefix(path+"."+name, ".")
}
