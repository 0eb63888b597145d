package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager"          // its module has the CRDs
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil" // its module has the CRDs
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	crdinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	_ "sigs.k8s.io/gateway-api/pkg/consts" // its module has the CRDs
	"sigs.k8s.io/yaml"
)

// publishedCRDs are folders with the definitions of others, by module.
var publishedCRDs = map[string]string{
	"github.com/cert-manager/cert-manager":               "deploy/crds",
	"sigs.k8s.io/gateway-api":                            "config/crd/standard",
	"github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd",
}

// Strict decoding refuses what kubectl apply --validate=strict and Argo CD refuse.
func TestEveryObjectIsWhatItsKindTakes(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		for _, object := range installed.objects {
			if err := validate(t.Context(), object); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	})
}

// The check itself must see a wrong member of either sort.
func TestWrongObjectsAreFound(t *testing.T) {
	t.Parallel()
	for _, manifest := range []string{
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {selectors: {}}}",
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: https}]}}",
		"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {secretName: a, issuerRef: {name: a}, dnsName: [a]}}",
		"{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a}, spec: {issuerRef: {name: a}}}",
		"{apiVersion: cert-manager.io/v2, kind: Certificate, metadata: {name: a}}",
	} {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(manifest), &object.Object); err != nil {
			t.Fatal(err)
		}
		if validate(t.Context(), object) == nil {
			t.Errorf("%s is taken for right", manifest)
		}
	}
}

func validate(ctx context.Context, object unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	if kind.Group == apiextensionsv1.GroupName || clientgoscheme.Scheme.Recognizes(kind) {
		return validateBuiltIn(object)
	}
	known, err := customKinds()
	if err != nil {
		return err
	}
	custom, published := known[kind]
	if !published {
		return fmt.Errorf("no published definition knows %s", kind)
	}
	return custom.validate(ctx, object.Object)
}

var builtIn = sync.OnceValue(func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // of this program, not of what it reads
		}
	}
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})
})

func validateBuiltIn(object unstructured.Unstructured) error {
	text, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	_, _, err = builtIn().Decode(text, nil, nil)
	return err
}

// customKind judges as kube-apiserver does.
type customKind struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func (k customKind) validate(ctx context.Context, object map[string]any) error {
	object = runtime.DeepCopyJSON(object)
	unknown := pruning.PruneWithOptions(object, k.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields: %s", strings.Join(unknown, ", "))
	}
	defaulting.Default(object, k.structural)
	if errs := validation.ValidateCustomResource(nil, object, k.schema); len(errs) > 0 {
		return errs.ToAggregate()
	}
	errs, _ := k.rules.Validate(ctx, nil, k.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return errs.ToAggregate()
}

// customKinds are those of publishedCRDs.
var customKinds = sync.OnceValues(func() (map[schema.GroupVersionKind]customKind, error) {
	kinds := map[schema.GroupVersionKind]customKind{}
	for module, folder := range publishedCRDs {
		output, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return nil, fmt.Errorf("find module %s: %w", module, err)
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(output)), folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			return nil, fmt.Errorf("no definitions of %s in %s: %w", module, folder, err)
		}
		for _, file := range files {
			if err := addKinds(kinds, file); err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
		}
	}
	return kinds, nil
})

func addKinds(kinds map[schema.GroupVersionKind]customKind, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	published := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, published); err != nil {
		return err
	}
	if published.Kind != "CustomResourceDefinition" {
		return nil // gateway-api has an admission policy among them
	}
	scheme := runtime.NewScheme()
	crdinstall.Install(scheme)
	definition := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(published, definition, nil); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		made, err := newCustomKind(definition, version.Name)
		if err != nil {
			return err
		}
		kinds[schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}] = made
	}
	return nil
}

func newCustomKind(definition *apiextensions.CustomResourceDefinition, version string) (customKind, error) {
	openAPI, err := apiextensions.GetSchemaForVersion(definition, version)
	if err != nil {
		return customKind{}, err
	}
	structural, err := structuralschema.NewStructural(openAPI.OpenAPIV3Schema)
	if err != nil {
		return customKind{}, err
	}
	validator, _, err := validation.NewSchemaValidator(openAPI.OpenAPIV3Schema)
	if err != nil {
		return customKind{}, err
	}
	return customKind{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}
