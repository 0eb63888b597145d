package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// variables are the metadata members that conditions look at: each is a variable
// of the policy under its own name. The keys in jwks are another.
type variables map[string]bool

func (v variables) of(member string) string {
	v[member] = true
	return "variables." + member
}

func (v variables) definitions() ([]admissionregistrationv1.Variable, error) {
	var definitions []admissionregistrationv1.Variable
	for _, member := range slices.Sorted(maps.Keys(v)) {
		expression, err := expressionOf(member)
		if err != nil {
			return nil, err
		}
		definitions = append(definitions, admissionregistrationv1.Variable{Name: member, Expression: expression})
	}
	return definitions, nil
}

// keyObjects is the variable that is no member: what is in jwks.
const keyObjects = "jwks_objects"

func expressionOf(variable string) (string, error) {
	if variable == keyObjects {
		return clientmetadata.KeyObjectsExpression, nil
	}
	return clientmetadata.Expression(variable)
}

// condition says a condition of the rule book in CEL.
func (v variables) condition(condition fapi.Condition) string {
	switch c := condition.(type) {
	case fapi.Stated:
		return v.stated(c, "!=")
	case fapi.Text:
		return form(c.Form, v.of(c.Member))
	case fapi.Entries:
		return fmt.Sprintf("%s.all(entry, %s)", v.of(c.Member), form(c.Form, "entry"))
	case fapi.Includes:
		return fmt.Sprintf("%s in %s", text(c.Entry), v.of(c.Member))
	case fapi.ShortSet:
		return fmt.Sprintf("size(%[1]s) <= %[2]d && %[1]s.all(entry, %[1]s.exists_one(other, other == entry))", v.of(c.Member), c.Most)
	case fapi.NotFalse:
		return v.of(c.Member) + " != false"
	case fapi.AtLeast:
		return fmt.Sprintf("%s >= %d", v.of(c.Member), c.Least)
	case fapi.KeysLack:
		return fmt.Sprintf("%s.all(object, type(object) != map || ![%s].exists(name, name in object))", v.of(keyObjects), texts(c.Names))
	case fapi.All:
		return joined(c, v.condition, " && ")
	case fapi.Any:
		return joined(c, v.condition, " || ")
	case fapi.ExactlyOne:
		var holding []string
		for _, one := range c {
			holding = append(holding, v.condition(one))
		}
		return fmt.Sprintf("[%s].exists_one(holds, holds)", strings.Join(holding, ", "))
	case fapi.Not:
		if stated, simple := c.Condition.(fapi.Stated); simple {
			return v.stated(stated, "==")
		}
		return "!(" + v.condition(c.Condition) + ")"
	}
	panic(fmt.Sprintf("a condition that CEL has no words for: %T", condition))
}

// stated compares the member with what it is where it is left out.
func (v variables) stated(c fapi.Stated, operator string) string {
	empty := `""`
	if c.List {
		empty = "[]"
	}
	return fmt.Sprintf("%s %s %s", v.of(c.Member), operator, empty)
}

// form says in CEL that the text that the expression gives has the form.
func form(form fapi.Form, of string) string {
	says := func(part fapi.Form) string { return formOf(part, of) }
	switch f := form.(type) {
	case fapi.Every:
		return joined(f, says, " && ")
	case fapi.Either:
		return joined(f, says, " || ")
	case fapi.Neither:
		return "!(" + joined(f, says, " || ") + ")"
	}
	return formOf(form, of)
}

func formOf(part fapi.Form, of string) string {
	switch f := part.(type) {
	case fapi.OneOf:
		return fmt.Sprintf("%s in [%s]", of, texts(f))
	case fapi.Matches:
		return fmt.Sprintf("%s.matches(%s)", of, text(f.Pattern))
	case fapi.AtMostCharacters:
		return fmt.Sprintf("size(%s) <= %d", of, f)
	case fapi.Every, fapi.Either, fapi.Neither:
		return form(part, of)
	}
	panic(fmt.Sprintf("a form that CEL has no words for: %T", part))
}

// joined puts parts that are made of parts in parentheses.
func joined[T any](parts []T, say func(T) string, operator string) string {
	said := make([]string, len(parts))
	for i, part := range parts {
		said[i] = say(part)
		if len(parts) > 1 && strings.ContainsAny(said[i], "&|") && !strings.HasPrefix(said[i], "!(") {
			said[i] = "(" + said[i] + ")"
		}
	}
	return strings.Join(said, operator)
}

func texts(values []string) string {
	var literals []string
	for _, value := range values {
		literals = append(literals, text(value))
	}
	return strings.Join(literals, ", ")
}

// text is a literal of CEL; what JSON and Go escape alike, CEL does too.
func text(value string) string { return strconv.Quote(value) }
