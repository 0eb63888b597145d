// Package crdschema judges an object of ours as kube-apiserver does before any
// webhook sees it: unknown fields, metadata, types, sizes and CEL rules of the
// custom resource definition. It needs no cluster, and asks the API server's own
// packages.
package crdschema

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/config/crd"
)

// Schema is that of one kind.
type Schema struct {
	// Namespaced kinds have objects that belong to a namespace.
	Namespaced bool

	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// Load reads the definitions that are installed in a cluster. The schemas are by
// kind.
func Load() (map[string]*Schema, error) {
	entries, err := crd.Bases.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the embedded definitions: %w", err)
	}
	schemas := map[string]*Schema{}
	for _, entry := range entries {
		definition, err := read(entry.Name())
		if err != nil {
			return nil, err
		}
		if schemas[definition.Spec.Names.Kind], err = newSchema(definition); err != nil {
			return nil, fmt.Errorf("read the schema of %s: %w", definition.Spec.Names.Kind, err)
		}
	}
	return schemas, nil
}

const folder = "bases"

func read(name string) (*apiextensionsv1.CustomResourceDefinition, error) {
	document, err := crd.Bases.ReadFile(path.Join(folder, name))
	if err != nil {
		return nil, fmt.Errorf("read an embedded definition: %w", err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(document, definition); err != nil {
		return nil, fmt.Errorf("read the embedded definition %s: %w", name, err)
	}
	return definition, nil
}

func newSchema(definition *apiextensionsv1.CustomResourceDefinition) (*Schema, error) {
	openAPI := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, openAPI, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(openAPI)
	if err != nil {
		return nil, err
	}
	schema, _, err := validation.NewSchemaValidator(openAPI)
	if err != nil {
		return nil, err
	}
	return &Schema{
		Namespaced: definition.Spec.Scope == apiextensionsv1.NamespaceScoped,
		structural: structural,
		schema:     schema,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// Create judges an object that is new. The object is left as it is.
func (s *Schema) Create(ctx context.Context, object map[string]any) field.ErrorList {
	object = s.known(object)
	errs := s.judgeMetadata(object)
	errs = append(errs, validation.ValidateCustomResource(nil, object, s.schema)...)
	return append(errs, s.judgeRules(ctx, object, nil, len(errs) == 0)...)
}

// Update judges a change of an object.
func (s *Schema) Update(ctx context.Context, object, old map[string]any) field.ErrorList {
	object = s.known(object)
	errs := validation.ValidateCustomResourceUpdate(nil, object, old, s.schema)
	return append(errs, s.judgeRules(ctx, object, old, len(errs) == 0)...)
}

// judgeRules asks CEL about an object of the right shape alone, as kube-apiserver does.
func (s *Schema) judgeRules(ctx context.Context, object, old map[string]any, rightShape bool) field.ErrorList {
	if errs := listtype.ValidateListSetsAndMaps(nil, s.structural, object); len(errs) > 0 || !rightShape {
		return errs
	}
	var oldObject any // nil, and no map that is nil, for an object that is new
	if old != nil {
		oldObject = old
	}
	errs, _ := s.rules.Validate(ctx, nil, s.structural, object, oldObject, celconfig.RuntimeCELCostBudget)
	return errs
}

// known is a copy of the object without what kube-apiserver drops before it looks.
func (s *Schema) known(object map[string]any) map[string]any {
	object = runtime.DeepCopyJSON(object)
	pruning.Prune(object, s.structural, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	return object
}

func (s *Schema) judgeMetadata(object map[string]any) field.ErrorList {
	at := field.NewPath("metadata")
	metadata, found, err := objectmeta.GetObjectMeta(object, false)
	switch {
	case err != nil:
		return field.ErrorList{field.TypeInvalid(at, "metadata", err.Error())}
	case !found:
		metadata = &metav1.ObjectMeta{}
	}
	return metavalidation.ValidateObjectMeta(metadata, s.Namespaced, metavalidation.NameIsDNSSubdomain, at)
}

// UnknownFields are the fields that kube-apiserver drops, or refuses under
// strict field validation.
func (s *Schema) UnknownFields(object map[string]any) []string {
	_, _, unknown, _ := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{
		DropMalformedFields: true, ReturnUnknownFieldPaths: true,
	})
	pruned := pruning.PruneWithOptions(runtime.DeepCopyJSON(object), s.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	return slices.Concat(unknown, pruned)
}

// KnownAs is the field that differs from an unknown one in its upper and lower
// case alone: redirectURIs for redirectUris. It is empty without one.
func (s *Schema) KnownAs(unknown string) string {
	names := strings.Split(unknown, ".")
	group := s.structural
	for _, name := range names[:len(names)-1] {
		next, found := group.Properties[name]
		if !found {
			return ""
		}
		group = &next
	}
	for name := range group.Properties {
		if strings.EqualFold(name, names[len(names)-1]) {
			return name
		}
	}
	return ""
}
