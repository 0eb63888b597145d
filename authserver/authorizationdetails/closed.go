package authorizationdetails

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// requireClosed demands that no object which conforms to the schema has a member
// that the schema does not know, however deep it lies (RFC 9396, 5): of every
// place in an element it is known which schemas apply there, and one of them must
// refuse. The error names the first place that is open.
func requireClosed(schema *jsonschema.Schema) error {
	return walk{seen: map[string]bool{}}.place(constraints{schema, element()})
}

// element is what every element is before the schema of its type is asked: an
// object whose member "type" is a string.
func element() *jsonschema.Schema {
	object, text := new(jsonschema.Types), new(jsonschema.Types)
	object.Add("object")
	text.Add("string")
	return &jsonschema.Schema{
		Location: "element", DraftVersion: draft, Types: object,
		Properties: map[string]*jsonschema.Schema{"type": {Location: "type", DraftVersion: draft, Types: text}},
	}
}

// constraints are schemas that all apply to one place. More of them never let
// more pass, so that a place which one schema closes stays closed.
type constraints []*jsonschema.Schema

// whole adds what $ref and allOf apply to the same place.
func (c constraints) whole() constraints {
	var all constraints
	for pending := slices.Clone(c); len(pending) > 0; pending = pending[1:] {
		schema := pending[0]
		if schema == nil || slices.Contains(all, schema) {
			continue
		}
		all = append(all, schema)
		pending = append(append(pending, schema.Ref), schema.AllOf...)
	}
	return all
}

// admits tells whether a value of the JSON type may pass.
func (c constraints) admits(jsonType string) bool {
	return !slices.ContainsFunc(c, func(s *jsonschema.Schema) bool {
		return isFalse(s) || s.Const != nil || s.Enum != nil || s.Types != nil && !slices.Contains(s.Types.ToStrings(), jsonType)
	})
}

// membersAreKnown tells whether no object with a member that they do not name passes.
func (c constraints) membersAreKnown() bool {
	return !c.admits("object") || slices.ContainsFunc(c, refusesAdditional) || slices.ContainsFunc(c, refusesUnevaluated)
}

// itemsAreKnown tells whether it is said of every item what it is.
func (c constraints) itemsAreKnown() bool {
	return !c.admits("array") || slices.ContainsFunc(c, func(s *jsonschema.Schema) bool { return s.Items2020 != nil })
}

// inEachCase tells whether something is true of them: by themselves, or in every
// branch of an anyOf or oneOf among fresh.
func (c constraints) inEachCase(fresh constraints, isTrue func(constraints) bool) bool {
	if isTrue(c) {
		return true
	}
	for _, schema := range fresh {
		for _, group := range [][]*jsonschema.Schema{schema.AnyOf, schema.OneOf} {
			fails := func(branch *jsonschema.Schema) bool {
				added := c.without(constraints{branch}.whole())
				return !slices.Concat(c, added).inEachCase(added, isTrue)
			}
			if len(group) > 0 && !slices.ContainsFunc(group, fails) {
				return true
			}
		}
	}
	return false
}

// without gives those of added that are not among c.
func (c constraints) without(added constraints) constraints {
	return slices.DeleteFunc(added, func(s *jsonschema.Schema) bool { return slices.Contains(c, s) })
}

func isFalse(schema *jsonschema.Schema) bool { return schema.Bool != nil && !*schema.Bool }

func refusesAdditional(schema *jsonschema.Schema) bool { return schema.AdditionalProperties == false }

// refusesUnevaluated leaves out a schema that has evaluated any member before:
// where additionalProperties lets them pass, unevaluatedProperties refuses none.
func refusesUnevaluated(schema *jsonschema.Schema) bool {
	return schema.UnevaluatedProperties != nil && isFalse(schema.UnevaluatedProperties) &&
		!evaluatesAny(schema, map[*jsonschema.Schema]bool{})
}

func evaluatesAny(schema *jsonschema.Schema, seen map[*jsonschema.Schema]bool) bool {
	if schema == nil || seen[schema] {
		return false
	}
	seen[schema] = true
	unevaluated := schema.UnevaluatedProperties
	if schema.AdditionalProperties != nil && schema.AdditionalProperties != false || unevaluated != nil && !isFalse(unevaluated) {
		return true
	}
	inPlace := append(slices.Concat(schema.AllOf, branches(schema)), schema.Ref, schema.If)
	return slices.ContainsFunc(inPlace, func(s *jsonschema.Schema) bool { return evaluatesAny(s, seen) })
}

// branches are schemas that apply to the same place in some cases. (What stands
// under "if" and "not" demands nothing.)
func branches(schema *jsonschema.Schema) []*jsonschema.Schema {
	found := slices.Concat(schema.AnyOf, schema.OneOf, byLocation(maps.Values(schema.DependentSchemas)))
	return slices.DeleteFunc(append(found, schema.Then, schema.Else), func(s *jsonschema.Schema) bool { return s == nil })
}

func byLocation(schemas iter.Seq[*jsonschema.Schema]) []*jsonschema.Schema {
	return slices.SortedFunc(schemas, func(a, b *jsonschema.Schema) int { return strings.Compare(a.Location, b.Location) })
}

// walk visits every place that the schemas lead to, each once.
type walk struct{ seen map[string]bool }

// place judges a place to which the constraints apply, and what lies below it.
func (w walk) place(given constraints) error {
	all := given.whole()
	if w.visited(all, nil) {
		return nil
	}
	if err := requireUnderstood(all); err != nil {
		return err
	}
	if !all.inEachCase(all, constraints.membersAreKnown) {
		return fmt.Errorf("at %s it lets unknown members pass, which RFC 9396, 5 forbids: "+
			"write additionalProperties (or unevaluatedProperties) false, or a type that is no object", pointerOf(given[0]))
	}
	if !all.inEachCase(all, constraints.itemsAreKnown) {
		return fmt.Errorf("at %s it lets any items pass, also objects with unknown members, which RFC 9396, 5 forbids: "+
			"write items, or a type that is no array", pointerOf(given[0]))
	}
	return w.below(all, all)
}

// draft is the only one that is taken: another draft's keywords would be ignored.
const draft = 2020

// requireUnderstood refuses what would say something else to a validator than it
// says here.
func requireUnderstood(all constraints) error {
	for _, schema := range all {
		if schema.DraftVersion != draft {
			return fmt.Errorf("at %s its $schema is not that of draft 2020-12: https://json-schema.org/draft/2020-12/schema", pointerOf(schema))
		}
		if schema.DynamicRef != nil {
			return fmt.Errorf("at %s it has a $dynamicRef, whose target depends on who asks: write $ref", pointerOf(schema))
		}
	}
	return nil
}

// below judges the places below one: those that the added constraints name, under
// all of them, and then in each of their branches.
func (w walk) below(all, added constraints) error {
	if err := w.members(all, added); err != nil {
		return err
	}
	if err := w.items(all, added); err != nil {
		return err
	}
	for _, schema := range added {
		for _, branch := range branches(schema) {
			more := all.without(constraints{branch}.whole())
			if w.visited(all, more) {
				continue
			}
			if err := requireUnderstood(more); err != nil {
				return err
			}
			if err := w.below(slices.Concat(all, more), more); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w walk) members(all, added constraints) error {
	if !all.admits("object") {
		return nil
	}
	for _, schema := range added {
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			member := constraints{schema.Properties[name]}
			for _, other := range all {
				if also := other.Properties[name]; also != nil {
					member = append(member, also)
				}
			}
			if err := w.place(member); err != nil {
				return err
			}
		}
		for _, member := range byLocation(maps.Values(schema.PatternProperties)) {
			if err := w.place(constraints{member}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w walk) items(all, added constraints) error {
	if !all.admits("array") {
		return nil
	}
	for _, schema := range added {
		for _, item := range schema.PrefixItems {
			if err := w.place(constraints{item}); err != nil {
				return err
			}
		}
		if schema.Items2020 == nil {
			continue
		}
		rest := constraints{schema.Items2020}
		for _, other := range all {
			if other.Items2020 != nil {
				rest = append(rest, other.Items2020)
			}
		}
		if err := w.place(rest); err != nil {
			return err
		}
	}
	return nil
}

// visited tells whether a set of schemas was judged before; schemas may lead
// back to themselves.
func (w walk) visited(all, added constraints) bool {
	locations := map[string]bool{}
	for _, schema := range slices.Concat(all, added) {
		locations[schema.Location] = true
	}
	name := fmt.Sprint(added == nil, slices.Sorted(maps.Keys(locations)))
	before := w.seen[name]
	w.seen[name] = true
	return before
}

// pointerOf is where the schema stands in its file, as a JSON Pointer (RFC 6901).
func pointerOf(schema *jsonschema.Schema) string {
	_, pointer, _ := strings.Cut(schema.Location, "#")
	return "#" + pointer
}
