package clientmetadata

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// A field that nothing enforces would be accepted and ignored.
func TestEveryFieldOfTheSpecIsMappedOrTheOperators(t *testing.T) {
	t.Parallel()
	var known []string
	for _, row := range table {
		known = append(known, row.field)
	}
	known = append(known, operatorOnly...)
	slices.Sort(known)

	fields := leaves(reflect.TypeFor[v1alpha1.FAPIApplicationSpec](), "")
	slices.Sort(fields)
	if diff := cmp.Diff(fields, slices.Compact(known)); diff != "" {
		t.Errorf("fields (-spec +table):\n%s", diff)
	}
}

func TestEveryMemberOfTheTableIsMetadata(t *testing.T) {
	t.Parallel()
	members := leaves(reflect.TypeFor[registration.Metadata](), "")
	for _, row := range table {
		if !slices.Contains(members, row.member) {
			t.Errorf("field %s: no metadata member %q", row.field, row.member)
		}
	}
}

// Every mapped field reaches the member that the table names, and no other.
func TestStatedFieldReachesItsMember(t *testing.T) {
	t.Parallel()
	for _, row := range table {
		if row.set == nil {
			continue
		}
		t.Run(row.field+" to "+row.member, func(t *testing.T) {
			t.Parallel()
			var spec v1alpha1.FAPIApplicationSpec
			state(t, reflect.ValueOf(&spec).Elem(), strings.Split(row.field, "."))
			var metadata registration.Metadata
			row.set(&metadata, read(&spec))
			if got := statedMembers(metadata); !slices.Equal(got, []string{row.member}) {
				t.Errorf("members %q are stated, want %q alone", got, row.member)
			}
		})
	}
}

func TestFieldPathLeadsBackToTheSpec(t *testing.T) {
	t.Parallel()
	fields := leaves(reflect.TypeFor[v1alpha1.FAPIApplicationSpec](), "")
	for _, row := range table {
		path := strings.TrimPrefix(FieldPath(row.member).String(), "spec.")
		isField := slices.ContainsFunc(fields, func(field string) bool { return field == path || strings.HasPrefix(field, path+".") })
		if !isField {
			t.Errorf("member %s: path %s is none of the spec's", row.member, path)
		}
	}
	if got := FieldPath("software_statement").String(); got != "spec" {
		t.Errorf("a member that no field states leads to %s, want spec", got)
	}
}

// leaves lists the JSON paths of a type's fields that hold values.
func leaves(of reflect.Type, prefix string) []string {
	var paths []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if group := groupOf(field.Type); group != nil {
			paths = append(paths, leaves(group, prefix+name+".")...)
			continue
		}
		paths = append(paths, prefix+name)
	}
	return paths
}

// groupOf is the struct behind a field, or nil for a value.
func groupOf(of reflect.Type) reflect.Type {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	isValue := of == reflect.TypeFor[metav1.Duration]() || of == reflect.TypeFor[apiextensionsv1.JSON]()
	if of.Kind() != reflect.Struct || isValue {
		return nil
	}
	return of
}

// state sets the field at the path to some value of its type.
func state(t *testing.T, group reflect.Value, path []string) {
	t.Helper()
	for i := range group.NumField() {
		name, _, _ := strings.Cut(group.Type().Field(i).Tag.Get("json"), ",")
		if name != path[0] {
			continue
		}
		value := group.Field(i)
		if value.Kind() == reflect.Pointer {
			value.Set(reflect.New(value.Type().Elem()))
			value = value.Elem()
		}
		if len(path) > 1 {
			state(t, value, path[1:])
			return
		}
		setSample(t, value)
		return
	}
	t.Fatalf("%s has no field %q", group.Type(), path[0])
}

func setSample(t *testing.T, value reflect.Value) {
	t.Helper()
	switch value.Interface().(type) {
	case v1alpha1.MessageSigningRequirement:
		value.Set(reflect.ValueOf(v1alpha1.MessageSigningRequired))
	case metav1.Duration:
		value.Set(reflect.ValueOf(metav1.Duration{Duration: time.Minute}))
	case apiextensionsv1.JSON:
		value.Set(reflect.ValueOf(apiextensionsv1.JSON{Raw: []byte(`{"keys":[]}`)}))
	case bool:
		value.SetBool(true)
	case []string:
		value.Set(reflect.ValueOf([]string{"stated"}))
	default:
		value.SetString("stated")
	}
}

func statedMembers(metadata registration.Metadata) []string {
	var members []string
	value := reflect.ValueOf(metadata)
	for i := range value.NumField() {
		if !value.Field(i).IsZero() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			members = append(members, name)
		}
	}
	return members
}
