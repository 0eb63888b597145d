package register_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// openAPI is as much of the document as the tests read.
type openAPI struct {
	Paths      map[string]map[string]yaml.Node
	Components struct {
		Responses map[string]response
		Schemas   map[string]struct{ Properties map[string]any }
	}
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
// status" of the document; empty for an answer without content.
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
		if reference == "" {
			return
		}
		value, err := jsonschema.UnmarshalJSON(answer.Body)
		if err != nil {
			t.Errorf("%s: %v", key, err)
			return
		}
		if err := compiler.MustCompile("openapi.json" + reference).Validate(value); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	const putClient, getClient, deleteClient, listClients = "PUT /clients/{client_id}", "GET /clients/{client_id}", "DELETE /clients/{client_id}", "GET /clients"
	api := newAPI(t)
	good := body(t, owner, 1, machine())
	foreignOwner := "?installation=prod&namespace=team-b&name=payments"

	for method, route := range map[string]string{http.MethodPut: putClient, http.MethodGet: getClient, http.MethodDelete: deleteClient} {
		see(route, api.sendAs(administrator, method, payments, good, nil))
	}
	see(listClients, api.sendAs(administrator, http.MethodGet, "/clients", "", nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(putClient, api.send(http.MethodPut, payments, "", nil))
	see(putClient, api.send(http.MethodPut, payments, body(t, another, 1, machine()), nil))
	see(putClient, api.send(http.MethodPut, payments, body(t, owner, 2, machine()), http.Header{"If-Match": {`"9"`}}))
	see(putClient, api.send(http.MethodPut, payments, strings.Repeat(" ", registration.MaxBytes+1), nil))
	see(putClient, api.send(http.MethodPut, payments, good, http.Header{"Content-Type": {"text/plain"}}))
	see(putClient, api.send(http.MethodPut, payments, body(t, owner, 2, registration.Metadata{}), nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(listClients, api.send(http.MethodGet, "/clients", "", nil))
	see(listClients, api.send(http.MethodGet, "/clients?limit=x", "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+foreignOwner, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))
	if err := api.store.Close(); err != nil {
		t.Fatal(err)
	}
	see(putClient, api.send(http.MethodPut, payments, good, nil))
	see(getClient, api.send(http.MethodGet, payments, "", nil))
	see(listClients, api.send(http.MethodGet, "/clients", "", nil))
	see(deleteClient, api.send(http.MethodDelete, payments+ownedBy, "", nil))

	for key := range described {
		if !slices.Contains(served, key) {
			t.Errorf("%s is described, and no request of this test gets it", key)
		}
	}
}

func TestTheDocumentKnowsEveryMetadataMember(t *testing.T) {
	t.Parallel()
	document, _ := readOpenAPI(t)
	var described, declared []string
	for name := range document.Components.Schemas["Metadata"].Properties {
		described = append(described, name)
	}
	for i := range reflect.TypeFor[registration.Metadata]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[registration.Metadata]().Field(i).Tag.Get("json"), ",")
		declared = append(declared, name)
	}
	slices.Sort(described)
	slices.Sort(declared)
	if difference := cmp.Diff(declared, described); difference != "" {
		t.Errorf("members (-struct +document):\n%s", difference)
	}
}

func TestAFailureTellsNothingInternal(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if err := api.store.Close(); err != nil {
		t.Fatal(err)
	}
	answer := api.send(http.MethodGet, payments, "", nil)
	if text := strings.TrimSpace(answer.Body.String()); answer.Code != http.StatusInternalServerError || text != `{"error":"server_error"}` {
		t.Errorf("status %d: %s", answer.Code, text)
	}
	if !strings.Contains(api.log.String(), "registration request failed") {
		t.Errorf("the cause is not in the log: %s", api.log)
	}
}
