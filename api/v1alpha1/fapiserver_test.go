package v1alpha1_test

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Nobody states anything in it, so a GitOps tool has nothing to compare.
func TestAFAPIServerHasNothingButAStatus(t *testing.T) {
	t.Parallel()
	crd := loadPublishedCRD(t, serverCRDFile)
	version := crd.Spec.Versions[0]
	if crd.Spec.Scope != apiextensionsv1.ClusterScoped || version.Subresources == nil || version.Subresources.Status == nil {
		t.Error("it is not cluster-scoped, or its status is no subresource")
	}
	for name := range version.Schema.OpenAPIV3Schema.Properties {
		if name != "apiVersion" && name != "kind" && name != "metadata" && name != "status" {
			t.Errorf("it has %s", name)
		}
	}
	walk("", *version.Schema.OpenAPIV3Schema, func(path string, s apiextensionsv1.JSONSchemaProps) {
		if strings.TrimSpace(s.Description) == "" && !strings.HasSuffix(path, "[]") {
			t.Errorf("%s has no description", path)
		}
		if s.Type == "array" && s.XListType == nil {
			t.Errorf("%s is a list without listType", path)
		}
		if s.Default != nil {
			t.Errorf("%s has a default", path)
		}
	})
}
