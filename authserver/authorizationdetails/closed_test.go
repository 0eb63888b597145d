package authorizationdetails

import (
	"strings"
	"testing"
)

// withMember is a schema that is closed but perhaps for its member a.
func withMember(member string, more ...string) string {
	return `{"type": "object", "properties": {"type": {"const": "payment"}, "a": ` + member + `}, "additionalProperties": false` + strings.Join(more, "") + `}`
}

// What lets an unknown member pass, however deep, is refused where it lies.
func TestSchemasThatAreOpenSomewhereAreRefusedThere(t *testing.T) {
	t.Parallel()
	const closed = `{"type": "object", "additionalProperties": false}`
	for name, test := range map[string]struct{ schema, at string }{
		"object":                {withMember(`{"type": "object", "properties": {"b": {"type": "string"}}}`), "#/properties/a"},
		"object, said so":       {withMember(`{"type": "object", "additionalProperties": true}`), "#/properties/a"},
		"map of anything":       {withMember(`{"type": "object", "additionalProperties": {"type": "string"}}`), "#/properties/a"},
		"any value":             {withMember(`true`), "#/properties/a"},
		"untyped":               {withMember(`{"maxLength": 10}`), "#/properties/a"},
		"one of the types":      {withMember(`{"type": ["string", "object"]}`), "#/properties/a"},
		"deeper":                {withMember(`{"type": "object", "properties": {"b": {"type": "object"}}, "additionalProperties": false}`), "#/properties/a/properties/b"},
		"items":                 {withMember(`{"type": "array", "items": {"type": "object"}}`), "#/properties/a/items"},
		"items not stated":      {withMember(`{"type": "array"}`), "#/properties/a"},
		"items in one case":     {withMember(`{"oneOf": [{"type": "array"}, {"type": "string"}]}`), "#/properties/a"},
		"items after the first": {withMember(`{"type": "array", "prefixItems": [{"type": "string"}]}`), "#/properties/a"},
		"first item":            {withMember(`{"type": "array", "prefixItems": [{"type": "object"}], "items": false}`), "#/properties/a/prefixItems/0"},
		"by pattern":            {withMember(`{"type": "object", "patternProperties": {"^x": {"type": "object"}}, "additionalProperties": false}`), "#/properties/a/patternProperties/%5Ex"},
		"behind $ref":           {withMember(`{"$ref": "#/$defs/d"}`, `, "$defs": {"d": {"type": "object"}}`), "#/properties/a"},
		"one branch":            {withMember(`{"anyOf": [` + closed + `, {"type": "object"}]}`), "#/properties/a"},
		"member of a branch":    {withMember(`{"type": "string"}`, `, "anyOf": [{"properties": {"c": {"type": "object"}}}]`), "#/anyOf/0/properties/c"},
		"member of then":        {withMember(`{"type": "string"}`, `, "if": {"required": ["a"]}, "then": {"properties": {"c": {"type": "object"}}}`), "#/then/properties/c"},
		"unevaluated, all were": {withMember(`{"type": "object", "allOf": [{"additionalProperties": true}], "unevaluatedProperties": false}`), "#/properties/a"},
		"unevaluated after if":  {withMember(`{"type": "object", "if": {"additionalProperties": true}, "unevaluatedProperties": false}`), "#/properties/a"},
		"in a tree of itself":   {withMember(`{"$ref": "#/$defs/tree"}`, `, "$defs": {"tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}, "leaf": {"type": "object"}}, "additionalProperties": false}}`), "#/$defs/tree/properties/leaf"},
		"$dynamicRef":           {withMember(`{"$dynamicRef": "#/$defs/d"}`, `, "$defs": {"d": `+closed+`}`), "#/properties/a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.schema)
			if err == nil || !strings.Contains(err.Error(), "at "+test.at+" it ") || !strings.Contains(err.Error(), "schema.json") {
				t.Errorf("got %v, want an error that names %s", err, test.at)
			}
		})
	}
}

// No schema is refused for the way in which it refuses unknown members.
func TestSchemasThatAreClosedInOtherWaysAreFit(t *testing.T) {
	t.Parallel()
	const closed = `{"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": false}`
	for name, schema := range map[string]string{
		"object":                        withMember(closed),
		"no object":                     withMember(`{"type": ["string", "number", "boolean", "null"]}`),
		"values that are listed":        withMember(`{"enum": ["a", {"b": 1}, [{}]]}`),
		"one value":                     withMember(`{"const": {"b": 1}}`),
		"nothing":                       withMember(`false`),
		"unevaluatedProperties":         withMember(`{"type": "object", "allOf": [{"properties": {"b": {"type": "string"}}}], "unevaluatedProperties": false}`),
		"patternProperties":             withMember(`{"type": "object", "patternProperties": {"^[A-Z]{3}$": {"type": "number"}}, "additionalProperties": false}`),
		"items":                         withMember(`{"type": "array", "items": ` + closed + `}`),
		"so many items":                 withMember(`{"type": "array", "prefixItems": [` + closed + `], "items": false}`),
		"closed behind $ref":            withMember(`{"$ref": "#/$defs/d"}`, `, "$defs": {"d": `+closed+`}`),
		"one of closed ones":            withMember(`{"oneOf": [{"type": "string"}, ` + closed + `]}`),
		"one of closed ones of its own": withMember(`{"oneOf": [{"type": "string"}, {"anyOf": [`+closed+`, {"$ref": "#/$defs/d"}]}]}`, `, "$defs": {"d": `+closed+`}`),
		"closed by one of allOf":        withMember(`{"allOf": [{"required": ["b"]}, ` + closed + `]}`),
		// The place is closed; what else is said of it need not close it again.
		"said more of in a branch": withMember(closed, `, "anyOf": [{"properties": {"a": {"required": ["b"]}}}, {"required": ["type"]}]`),
		"said more of in then":     withMember(closed, `, "if": {"properties": {"a": {"required": ["b"]}}}, "then": {"properties": {"a": {"minProperties": 1}}}`),
		"said more of in allOf":    withMember(closed, `, "allOf": [{"properties": {"a": {"minProperties": 1}, "type": true}}]`),
		"a tree of itself":         withMember(`{"$ref": "#/$defs/tree"}`, `, "$defs": {"tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}, "additionalProperties": false}}`),
		"a definition not used":    withMember(closed, `, "$defs": {"d": {"type": "object"}}`),
		"a condition on objects":   withMember(closed, `, "not": {"properties": {"a": {"type": "object", "required": ["c"]}}, "required": ["a"]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := load(t, schema); err != nil {
				t.Error(err)
			}
		})
	}
}
