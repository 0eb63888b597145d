// Package openapitest holds an API to its OpenAPI document, for tests.
package openapitest

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Document is as much of the document as tests read, and what was seen of it.
type Document struct {
	Paths      map[string]map[string]yaml.Node
	Components struct {
		Responses map[string]response
		Schemas   map[string]struct{ Properties map[string]any }
	}

	compiler *jsonschema.Compiler
	// described has the reference of the answer's schema for every "METHOD path
	// status"; empty for an answer without content.
	described map[string]string
	served    map[string]bool
}

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema struct {
			Ref string `yaml:"$ref"`
		}
	}
}

// schemaURL is where the compiler finds the document.
const schemaURL = "openapi.json"

// Read reads the document in openapi.yaml.
func Read(t testing.TB) *Document {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document := &Document{compiler: jsonschema.NewCompiler(), served: map[string]bool{}}
	var plain any
	if err := yaml.Unmarshal(text, document); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	if err := document.compiler.AddResource(schemaURL, resource); err != nil {
		t.Fatal(err)
	}
	document.described = document.schemas(t)
	return document
}

func (d *Document) schemas(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for path, operations := range d.Paths {
		for method, node := range operations {
			if method == "parameters" {
				continue
			}
			var operation struct{ Responses map[string]response }
			if err := node.Decode(&operation); err != nil {
				t.Fatal(err)
			}
			for status, answer := range operation.Responses {
				if name, shared := strings.CutPrefix(answer.Ref, "#/components/responses/"); shared {
					answer = d.Components.Responses[name]
				}
				found[strings.ToUpper(method)+" "+path+" "+status] = answer.Content["application/json"].Schema.Ref
			}
		}
	}
	return found
}

// See demands that the document describes the answer of a route ("METHOD path")
// with this status, and in this form.
func (d *Document) See(t testing.TB, route string, answer *httptest.ResponseRecorder) {
	t.Helper()
	key := route + " " + strconv.Itoa(answer.Code)
	reference, ok := d.described[key]
	if !ok {
		t.Errorf("%s is not described: %s", key, answer.Body)
		return
	}
	d.served[key] = true
	if reference == "" {
		if answer.Body.Len() > 0 {
			t.Errorf("%s has content that is not described: %s", key, answer.Body)
		}
		return
	}
	value, err := jsonschema.UnmarshalJSON(answer.Body)
	if err != nil {
		t.Errorf("%s: %v", key, err)
		return
	}
	if err := d.compiler.MustCompile(schemaURL + reference).Validate(value); err != nil {
		t.Errorf("%s: %v", key, err)
	}
}

// WantAllSeen demands that every described answer was seen.
func (d *Document) WantAllSeen(t testing.TB) {
	t.Helper()
	for key := range d.described {
		if !d.served[key] {
			t.Errorf("%s is described, and no request of this test gets it", key)
		}
	}
}
