package admin_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// openAPI is as much of the document as the test reads.
type openAPI struct {
	Paths      map[string]map[string]yaml.Node
	Components struct{ Responses map[string]response }
}

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema struct {
			Ref string `yaml:"$ref"`
		}
	}
}

func readOpenAPI(t *testing.T) (openAPI, *jsonschema.Compiler) {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document openAPI
	var plain any
	if err := yaml.Unmarshal(text, &document); err != nil {
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
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", resource); err != nil {
		t.Fatal(err)
	}
	return document, compiler
}

// schemas gives the reference of the answer's schema for every "METHOD path
// status" of the document.
func (d openAPI) schemas(t *testing.T) map[string]string {
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

// Every route and status of the document is served, in the form that it
// describes, and no other status is seen here.
func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	document, compiler := readOpenAPI(t)
	described := document.schemas(t)
	var served []string
	see := func(route string, answer *httptest.ResponseRecorder) {
		t.Helper()
		key := route + " " + strconv.Itoa(answer.Code)
		reference, ok := described[key]
		if !ok {
			t.Errorf("%s is not described: %s", key, answer.Body)
			return
		}
		served = append(served, key)
		value, err := jsonschema.UnmarshalJSON(answer.Body)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			return
		}
		if err := compiler.MustCompile("openapi.json" + reference).Validate(value); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	api := newAPI(t)
	for _, id := range []string{"g1", "g2", "g3"} {
		api.grant(id, "bank.shop", "~alice")
	}
	calls := map[string][2]string{
		"GET /administration/grants":                        {http.MethodGet, grants},
		"DELETE /administration/grants/{grant_id}":          {http.MethodDelete, grants + "/g1"},
		"DELETE /administration/subjects/{sub}/grants":      {http.MethodDelete, ofAlice},
		"DELETE /administration/clients/{client_id}/grants": {http.MethodDelete, toShop},
	}
	see("GET /administration/grants", api.send(http.MethodGet, grants+"?limit=2"))
	for route, call := range calls {
		see(route, api.send(call[0], call[1]))
		see(route, api.send(call[0], call[1]+"?page=2"))
		see(route, api.sendAs(operator, call[0], call[1]))
	}
	api.must(api.store.Close())
	for route, call := range calls {
		see(route, api.send(call[0], call[1]))
	}
	for key := range described {
		if !slices.Contains(served, key) {
			t.Errorf("%s is described, and no request of this test gets it", key)
		}
	}
}
