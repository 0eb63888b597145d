package oauth

import (
	"net/url"
	"slices"
	"sort"
	"strings"
)

// Form is a request's parameters as they were sent, duplicates kept: RFC 6749,
// 3.1 and 3.2 forbid to send a parameter twice, and a parser that silently
// takes the first or the last one lets two readers disagree.
type Form struct{ values map[string][]string }

// Bounds of a form, our own choice. A pushed request with an encrypted request
// object and rich authorization details stays far below them.
const (
	// MaxFormBytes is the size of the largest request body that is read, in bytes.
	MaxFormBytes = 256 << 10
	// maxFormParameters is the number of parameters above which a form is refused.
	maxFormParameters = 128
)

// ParseForm parses an application/x-www-form-urlencoded body or a query string.
// Malformed escapes, semicolons and too many parameters are invalid_request.
func ParseForm(raw string) (Form, *Error) {
	if len(raw) > MaxFormBytes {
		return Form{}, Refuse(InvalidRequest, "LOCAL-FORM-SIZE", "the request has more than %d bytes", MaxFormBytes)
	}
	if strings.Count(raw, "&") >= maxFormParameters {
		return Form{}, Refuse(InvalidRequest, "LOCAL-FORM-SIZE", "the request has more than %d parameters", maxFormParameters)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return Form{}, Refuse(InvalidRequest, "RFC6749-3.2", "the parameters are not application/x-www-form-urlencoded").WithCause(err)
	}
	return Form{values}, nil
}

// FormOf makes a form of single values, as a request object's claims give them.
func FormOf(values map[string]string) Form {
	form := Form{make(map[string][]string, len(values))}
	for name, value := range values {
		form.values[name] = []string{value}
	}
	return form
}

// Get gives the parameter's first value. An empty value counts as absent
// (RFC 6749, 3.1: parameters sent without a value are treated as omitted).
func (f Form) Get(name string) string {
	for _, value := range f.values[name] {
		if value != "" {
			return value
		}
	}
	return ""
}

// Has tells whether the parameter was sent with a value.
func (f Form) Has(name string) bool { return f.Get(name) != "" }

// Duplicates names the parameters that were sent more than once, sorted.
// RFC 8707's resource may be repeated and is not named.
func (f Form) Duplicates() []string {
	var names []string
	for name, values := range f.values {
		if len(values) > 1 && name != ParamResource {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// All gives every value of a parameter that may be repeated.
func (f Form) All(name string) []string { return slices.Clone(f.values[name]) }

// Names lists the parameters that were sent, sorted.
func (f Form) Names() []string {
	names := make([]string, 0, len(f.values))
	for name := range f.values {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// SpaceSeparated splits a list such as scope at spaces, and at no other white
// space (RFC 6749, 3.3), dropping empty items.
func SpaceSeparated(list string) []string {
	return slices.DeleteFunc(strings.Split(list, " "), func(item string) bool { return item == "" })
}
