package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

const (
	crdFile       = "../../config/crd/bases/fapi-operator.io_fapiapplications.yaml"
	serverCRDFile = "../../config/crd/bases/fapi-operator.io_fapiservers.yaml"
)

// The checks here are those of kube-apiserver's own packages, cost limits of CEL included.
func TestAPIServerTakesTheCRDs(t *testing.T) {
	t.Parallel()
	for _, file := range []string{crdFile, serverCRDFile} {
		crd := loadCRD(t, file)
		crd.Status.StoredVersions = []string{v1alpha1.GroupVersion.Version} // as kube-apiserver does on creation
		if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), crd); len(errs) > 0 {
			t.Errorf("%s: %v", crd.Name, errs.ToAggregate())
		}
	}
}

func loadCRD(t *testing.T, file string) *apiextensions.CustomResourceDefinition {
	t.Helper()
	published := loadPublishedCRD(t, file)
	scheme := runtime.NewScheme()
	install.Install(scheme)
	scheme.Default(published)
	crd := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(published, crd, nil); err != nil {
		t.Fatal(err)
	}
	return crd
}

func loadPublishedCRD(t *testing.T, file string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	document, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(document, crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

// admission is what kube-apiserver does with a custom resource before any webhook sees it.
type admission struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func newAdmission(t *testing.T) admission {
	t.Helper()
	crd := loadCRD(t, crdFile)
	openAPI, err := apiextensions.GetSchemaForVersion(crd, v1alpha1.GroupVersion.Version)
	if err != nil {
		t.Fatal(err)
	}
	structural, err := structuralschema.NewStructural(openAPI.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	schema, _, err := validation.NewSchemaValidator(openAPI.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return admission{
		structural: structural,
		schema:     schema,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}
}

func (a admission) create(t *testing.T, object map[string]any) field.ErrorList {
	t.Helper()
	return a.judge(t, object, nil, validation.ValidateCustomResource(nil, object, a.schema))
}

func (a admission) update(t *testing.T, object, old map[string]any) field.ErrorList {
	t.Helper()
	return a.judge(t, object, old, validation.ValidateCustomResourceUpdate(nil, object, old, a.schema))
}

func (a admission) judge(t *testing.T, object, old map[string]any, errs field.ErrorList) field.ErrorList {
	t.Helper()
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, a.structural, object)...)
	if len(errs) > 0 {
		return errs // as kube-apiserver, which runs no CEL on an object of the wrong shape
	}
	var oldObject any
	if old != nil {
		oldObject = old
	}
	errs, _ = a.rules.Validate(t.Context(), nil, a.structural, object, oldObject, celconfig.RuntimeCELCostBudget)
	return errs
}

// unknownFields are the fields that kube-apiserver would drop, or refuse under strict field validation.
func (a admission) unknownFields(object map[string]any) []string {
	return pruning.PruneWithOptions(runtime.DeepCopyJSON(object), a.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
}
