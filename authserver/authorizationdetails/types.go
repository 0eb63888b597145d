// Package authorizationdetails knows the types of authorization details (RFC
// 9396) that the server's configuration declares: it reads their JSON Schemas,
// and reads authorization_details against them. What is allowed is the rule
// book's to say.
package authorizationdetails

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Declaration is a type as the configuration declares it.
type Declaration struct {
	// Description says to people what an element of the type lets a client do.
	Description string
	// SchemaFile is the path of a JSON Schema (draft 2020-12) for one element.
	SchemaFile string
	// WithoutPerson: a client may have it by client credentials, where nobody is asked.
	WithoutPerson bool
}

// Types are the declared types. They are safe for concurrent use, and never change.
type Types struct{ declared map[string]detailsType }

type detailsType struct {
	description   string
	schema        *jsonschema.Schema
	withoutPerson bool
}

// Load reads and compiles the schemas of the types by name. The error names every
// file that is no fit schema.
func Load(declarations map[string]Declaration) (*Types, error) {
	types := &Types{declared: make(map[string]detailsType, len(declarations))}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(declarations)) {
		schema, err := loadSchema(declarations[name].SchemaFile)
		if err != nil {
			faults = append(faults, fmt.Errorf("authorization details type %s: %w", name, err))
			continue
		}
		types.declared[name] = detailsType{declarations[name].Description, schema, declarations[name].WithoutPerson}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return types, nil
}

// Names are the declared types, sorted.
func (t *Types) Names() []string { return slices.Sorted(maps.Keys(t.declared)) }

// Description says what an element of the type lets a client do; "" for a type
// that is not declared.
func (t *Types) Description(name string) string { return t.declared[name].description }

// Title is what the type's schema calls the member that the names lead to, from
// the element's own member inwards and through arrays; "" where it has no title.
func (t *Types) Title(name string, members []string) string {
	schema := t.declared[name].schema
	for _, member := range members {
		schema = property(schema, member)
	}
	for _, candidate := range withReferences(schema) {
		if candidate.Title != "" {
			return candidate.Title
		}
	}
	return ""
}

// property is the schema of a member, of the object or of the array's objects.
// Items that are arrays of themselves have no end, and are not followed for ever.
func property(schema *jsonschema.Schema, member string) *jsonschema.Schema {
	for range maxReferences {
		var items *jsonschema.Schema
		for _, candidate := range withReferences(schema) {
			if found := candidate.Properties[member]; found != nil {
				return found
			}
			if items = candidate.Items2020; items != nil {
				break
			}
		}
		schema = items
	}
	return nil
}

// maxReferences ends a chain of $ref that leads back to itself; our own choice.
const maxReferences = 16

// withReferences is the schema and those that it refers to one after the other.
func withReferences(schema *jsonschema.Schema) []*jsonschema.Schema {
	var chain []*jsonschema.Schema
	for ; schema != nil && len(chain) < maxReferences; schema = schema.Ref {
		chain = append(chain, schema)
	}
	return chain
}

func loadSchema(file string) (*jsonschema.Schema, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the JSON Schema: %w", err)
	}
	schema, err := compile(text)
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema %s: %w", file, err)
	}
	return schema, nil
}

// errElsewhere keeps the server from fetching what a schema refers to: neither
// the network nor another file may decide what a person's consent can be.
var errElsewhere = errors.New("a schema stands by itself: put what it refers to in its $defs")

type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errElsewhere }

// schemaURL is the base of a schema without $id; nothing is ever fetched from it.
const schemaURL = "urn:fapi-operator:authorization-details-type"

// compile takes a schema of draft 2020-12 that stands by itself. Formats are
// asserted: a "date" that is none is refused.
func compile(text []byte) (*jsonschema.Schema, error) {
	if !jsontext.Value(text).IsValid() {
		return nil, errors.New("it is not JSON, or repeats a member name")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("it does not compile: %w", err)
	}
	return schema, requireClosed(schema)
}
