package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/crdschema"
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

// newAdmission is what kube-apiserver does with a custom resource before any webhook sees it.
func newAdmission(t *testing.T) *crdschema.Schema {
	t.Helper()
	schemas, err := crdschema.Load()
	if err != nil {
		t.Fatal(err)
	}
	return schemas["FAPIApplication"]
}
