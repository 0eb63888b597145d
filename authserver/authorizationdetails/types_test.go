package authorizationdetails

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const paymentSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "type": {"const": "payment"},
    "amount": {"title": "Amount", "type": "object", "properties": {"value": {"type": "number", "exclusiveMinimum": 0}}, "additionalProperties": false},
    "due": {"type": "string", "format": "date"},
    "payees": {"title": "Payees", "type": "array", "items": {"$ref": "#/$defs/payee"}},
    "note": {"type": "string", "maxLength": 10}
  },
  "required": ["type", "amount"],
  "additionalProperties": false,
  "$defs": {"payee": {"type": "object", "properties": {"iban": {"title": "IBAN", "type": "string"}}, "additionalProperties": false}}
}`

func write(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func load(t testing.TB, schema string) (*Types, error) {
	t.Helper()
	return Load(map[string]Declaration{"payment": {Description: "Pay", SchemaFile: write(t, schema)}})
}

func paymentTypes(t testing.TB) *Types {
	t.Helper()
	types, err := load(t, paymentSchema)
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func TestDeclaredTypesAreNamedAndDescribed(t *testing.T) {
	t.Parallel()
	types := paymentTypes(t)
	if names := types.Names(); len(names) != 1 || names[0] != "payment" || types.Description("payment") != "Pay" || types.Description("other") != "" {
		t.Errorf("the types are %v", names)
	}
	for path, want := range map[string]string{
		"amount": "Amount", "amount value": "", "payees": "Payees", "payees iban": "IBAN", "unknown": "", "unknown deep": "",
	} {
		if got := types.Title("payment", strings.Fields(path)); got != want {
			t.Errorf("%s is called %q, want %q", path, got, want)
		}
	}
}

// Items that are arrays of themselves have no title, and an end.
func TestTitleInASchemaOfArraysOfItself(t *testing.T) {
	t.Parallel()
	types, err := load(t, `{"type":"object","properties":{"type":{"type":"string"},"tree":{"$ref":"#/$defs/tree"}},"additionalProperties":false,
		"$defs":{"tree":{"type":["array","object"],"items":{"$ref":"#/$defs/tree"},"patternProperties":{"^x":{"type":"string"}},"additionalProperties":false}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if title := types.Title("payment", []string{"tree", "x1"}); title != "" {
		t.Errorf("it is called %q", title)
	}
}

func TestSchemasThatAreNotFitAreRefusedByTheirFile(t *testing.T) {
	t.Parallel()
	closed := func(members string) string { return `{` + members + `, "additionalProperties": false}` }
	for name, test := range map[string]struct{ schema, want string }{
		"not JSON":          {`{`, "not JSON"},
		"repeated member":   {closed(`"type": "object", "type": "array"`), "repeats a member name"},
		"no schema":         {closed(`"type": "objekt"`), "does not compile"},
		"broken pattern":    {closed(`"properties": {"a": {"pattern": "("}}`), "does not compile"},
		"dangling $ref":     {closed(`"properties": {"a": {"$ref": "#/$defs/none"}}`), "does not compile"},
		"$ref to the net":   {closed(`"properties": {"a": {"$ref": "https://schemas.bank.example/a.json"}}`), "stands by itself"},
		"$ref to a file":    {closed(`"properties": {"a": {"$ref": "file:///etc/hostname"}}`), "stands by itself"},
		"$ref to a sibling": {closed(`"$id": "https://schemas.bank.example/b.json", "properties": {"a": {"$ref": "a.json"}}`), "stands by itself"},
		"another draft":     {closed(`"$schema": "http://json-schema.org/draft-07/schema#"`), "draft 2020-12"},
		"its own dialect":   {closed(`"$schema": "https://schemas.bank.example/dialect"`), "stands by itself"},
		"open":              {`{"type": "object", "properties": {"type": {"const": "payment"}}}`, "additionalProperties"},
		"leads to itself":   {`{"$ref": "#"}`, "additionalProperties"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.schema)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "schema.json") || !strings.Contains(err.Error(), "payment") {
				t.Errorf("got %v, want an error that names the file, the type and %q", err, test.want)
			}
		})
	}
}

func TestSchemasThatRefuseUnknownMembersInOtherWaysAreFit(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"unevaluatedProperties": `{"properties": {"type": true}, "unevaluatedProperties": false}`,
		"by $ref":               `{"$ref": "#/$defs/a", "$defs": {"a": {"additionalProperties": false}}}`,
	} {
		if _, err := load(t, schema); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFileThatIsNoSchemaIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(map[string]Declaration{
		"a": {SchemaFile: write(t, `[]`)}, "b": {SchemaFile: filepath.Join(t.TempDir(), "missing.json")}, "c": {SchemaFile: write(t, paymentSchema)},
	})
	if err == nil || !strings.Contains(err.Error(), "type a") || !strings.Contains(err.Error(), "missing.json") || strings.Contains(err.Error(), "type c") {
		t.Errorf("got %v", err)
	}
}
