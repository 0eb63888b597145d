package fapi

import (
	"encoding/json"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Condition is a demand as data: the rule book judges by it, and others may say
// it again in a language of their own, such as the CEL of an admission policy.
// A member that is left out is an empty text or an empty list.
type Condition interface{ holds(*candidate) bool }

// Conditions on one member, which has the name that client metadata gives it.
type (
	// Stated asks for a text or a list that is not empty.
	Stated struct {
		Member string
		// List tells whether the member is a list, rather than a text.
		List bool
		is   func(*candidate) bool
	}
	// Text asks that the text, empty where it is left out, has the form.
	Text struct {
		Member string
		Form   Form
		of     func(*candidate) string
	}
	// Entries asks that every entry of the list has the form.
	Entries struct {
		Member string
		Form   Form
		of     func(*candidate) []string
	}
	// Includes asks that the list has the entry.
	Includes struct {
		Member string
		Entry  string
		of     func(*candidate) []string
	}
	// ShortSet asks that the list has at most so many entries, and none of them twice.
	ShortSet struct {
		Member string
		Most   int
		of     func(*candidate) []string
	}
	// NotFalse asks that the boolean is true, or left out.
	NotFalse struct {
		Member string
		of     func(*candidate) *bool
	}
	// AtLeast asks that the number, once defaults are filled in, is not smaller.
	AtLeast struct {
		Member string
		Least  int64
		of     func(*candidate) *int64
	}
	// KeysLack asks that neither the JWK Set nor a key in it has one of the members.
	KeysLack struct {
		Member string
		Names  []string
		of     func(*candidate) json.RawMessage
	}
)

// Conditions made of conditions.
type (
	// All asks that every one holds.
	All []Condition
	// Any asks that one holds, at least.
	Any []Condition
	// ExactlyOne asks that one holds, and no other.
	ExactlyOne []Condition
	// Not asks that the condition does not hold.
	Not struct{ Condition Condition }
)

// Form is a demand on a text, as data.
type Form interface{ fits(string) bool }

type (
	// OneOf takes these texts.
	OneOf []string
	// Matches takes texts in which the regular expression (RE2) finds something;
	// none that is not UTF-8.
	Matches struct {
		Pattern  string
		compiled *regexp.Regexp
	}
	// AtMostCharacters takes texts of at most so many characters.
	AtMostCharacters int
	// Every takes texts that have all of the forms.
	Every []Form
	// Either takes texts that have one of the forms, at least.
	Either []Form
	// Neither takes texts that have none of the forms.
	Neither []Form
)

func (s Stated) holds(c *candidate) bool   { return s.is(c) }
func (t Text) holds(c *candidate) bool     { return t.Form.fits(t.of(c)) }
func (i Includes) holds(c *candidate) bool { return slices.Contains(i.of(c), i.Entry) }
func (n NotFalse) holds(c *candidate) bool { return n.of(c) == nil || *n.of(c) }
func (a AtLeast) holds(c *candidate) bool  { return *a.of(c) >= a.Least }
func (n Not) holds(c *candidate) bool      { return !n.Condition.holds(c) }

func (e Entries) holds(c *candidate) bool {
	return !slices.ContainsFunc(e.of(c), func(entry string) bool { return !e.Form.fits(entry) })
}

// holds passes over what is no JWK Set: that has a rule of its own.
func (k KeysLack) holds(c *candidate) bool {
	var set map[string]json.RawMessage
	if json.Unmarshal(k.of(c), &set) != nil {
		return true
	}
	var keys []json.RawMessage
	_ = json.Unmarshal(set["keys"], &keys) // a set without a list of keys has none
	return !slices.ContainsFunc(append(keys, k.of(c)), func(object json.RawMessage) bool {
		var members map[string]json.RawMessage
		return json.Unmarshal(object, &members) == nil && slices.ContainsFunc(k.Names, func(name string) bool {
			_, has := members[name]
			return has
		})
	})
}

func (s ShortSet) holds(c *candidate) bool { return isShortSet(s.of(c)) }

func (conditions All) holds(c *candidate) bool { return countHolding(conditions, c) == len(conditions) }
func (conditions Any) holds(c *candidate) bool { return countHolding(conditions, c) > 0 }

func (conditions ExactlyOne) holds(c *candidate) bool { return countHolding(conditions, c) == 1 }

func countHolding(conditions []Condition, c *candidate) int {
	holding := 0
	for _, condition := range conditions {
		if condition.holds(c) {
			holding++
		}
	}
	return holding
}

func (texts OneOf) fits(text string) bool           { return slices.Contains(texts, text) }
func (most AtMostCharacters) fits(text string) bool { return utf8.RuneCountInString(text) <= int(most) }
func (m Matches) fits(text string) bool {
	return utf8.ValidString(text) && m.compiled.MatchString(text)
}
func (forms Every) fits(text string) bool   { return countFitting(forms, text) == len(forms) }
func (forms Either) fits(text string) bool  { return countFitting(forms, text) > 0 }
func (forms Neither) fits(text string) bool { return countFitting(forms, text) == 0 }

func countFitting(forms []Form, text string) int {
	fitting := 0
	for _, form := range forms {
		if form.fits(text) {
			fitting++
		}
	}
	return fitting
}

func matches(pattern string) Matches { return Matches{pattern, regexp.MustCompile(pattern)} }

// stated holds for a member whose content is not known here, too.
func (m member) stated() Condition {
	return Stated{Member: m.name, is: func(c *candidate) bool { return m.of(c) != "" || c.isPending(m.name) }}
}

func (m member) has(form Form) Condition { return Text{m.name, form, m.of} }

// hasIfStated holds where the member is left out.
func (m member) hasIfStated(form Form) Condition { return Any{Not{m.stated()}, m.has(form)} }

func (l list) stated() Condition {
	return Stated{Member: l.name, List: true, is: func(c *candidate) bool { return len(l.of(c)) > 0 }}
}

func (l list) each(form Form) Condition        { return Entries{l.name, form, l.of} }
func (l list) includes(entry string) Condition { return Includes{l.name, entry, l.of} }
func (l list) isShortSet() Condition           { return ShortSet{l.name, MaxListEntries, l.of} }
