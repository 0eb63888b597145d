package authorizationdetails

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxPointerLength bounds what is told of a client's own member names, in
// characters; our own choice.
const maxPointerLength = 120

// describe says where an element departs from its schema, as a JSON Pointer (RFC
// 6901), and from which keyword. It repeats none of the element's values.
func describe(departure *jsonschema.ValidationError) string {
	for len(departure.Causes) > 0 {
		departure = departure.Causes[0]
	}
	path, keyword := slices.Clone(departure.InstanceLocation), strings.Join(departure.ErrorKind.KeywordPath(), "/")
	switch found := departure.ErrorKind.(type) {
	case *kind.Required:
		return pointer(append(path, found.Missing[0])) + " is missing"
	case *kind.AdditionalProperties:
		return pointer(append(path, found.Properties[0])) + " is not known"
	case *kind.FalseSchema:
		return pointer(path) + " is not known"
	case *kind.Type:
		return pointer(path) + " is not of the type " + strings.Join(found.Want, " or ")
	}
	return pointer(path) + " breaks the schema's keyword " + keyword
}

func pointer(path []string) string {
	if len(path) == 0 {
		return "the object"
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var text strings.Builder
	for _, name := range path {
		text.WriteString("/" + escape.Replace(name))
	}
	if text.Len() > maxPointerLength {
		return "a member with a long name"
	}
	return text.String()
}
