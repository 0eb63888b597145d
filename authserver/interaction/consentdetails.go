package interaction

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
)

// detailText is one element of authorization_details (RFC 9396, 2) as a person
// reads it: all of its members, none shortened.
type detailText struct {
	// Description is the configuration's; empty for a type that it does not declare.
	Description string
	Type        string
	Rows        []detailRow
}

// detailRow is a member, or a member of a member.
type detailRow struct {
	// Label leads from the element's member inwards.
	Label string
	// Values are several for an array; an empty one says nothing.
	Values []string
}

// labelSeparator stands between a member's label and those around it.
const labelSeparator = " › "

// describeDetails puts authorization_details in words. An error means that a
// person would not see all that is asked for, and so must not be asked.
func describeDetails(spoken *words, types *authorizationdetails.Types, details json.RawMessage) ([]detailText, error) {
	if len(details) == 0 {
		return nil, nil
	}
	var elements []jsontext.Value
	if err := jsonv2.Unmarshal(details, &elements); err != nil {
		return nil, fmt.Errorf("read authorization_details: %w", err)
	}
	texts := make([]detailText, len(elements))
	for i, element := range elements {
		text, err := describeDetail(spoken, types, element)
		if err != nil {
			return nil, fmt.Errorf("describe authorization_details[%d]: %w", i, err)
		}
		texts[i] = text
	}
	return texts, nil
}

func describeDetail(spoken *words, types *authorizationdetails.Types, element jsontext.Value) (detailText, error) {
	members, err := membersOf(element)
	if err != nil {
		return detailText{}, err
	}
	isType := func(m member) bool { return m.name == "type" }
	d := describer{words: spoken, types: types}
	if at := slices.IndexFunc(members, isType); at >= 0 {
		err = jsonv2.Unmarshal(members[at].value, &d.detailsType)
	}
	for _, member := range locationsLast(slices.DeleteFunc(members, isType)) {
		err = errors.Join(err, d.describe(place{}.within(member.name, d.label([]string{member.name})), member.value))
	}
	return detailText{types.Description(d.detailsType), visible(d.detailsType), d.rows}, err
}

// locationsLast keeps the order in which members were sent, but for the addresses
// of programs, which tell a person least.
func locationsLast(members []member) []member {
	isLocations := func(m member) bool { return m.name == "locations" }
	if at := slices.IndexFunc(members, isLocations); at >= 0 {
		return append(slices.Delete(slices.Clone(members), at, at+1), members[at])
	}
	return members
}

// member is a member of a JSON object, in the order in which it was sent.
type member struct {
	name  string
	value jsontext.Value
}

func membersOf(object jsontext.Value) ([]member, error) {
	decoder := jsontext.NewDecoder(strings.NewReader(string(object)))
	if opening, err := decoder.ReadToken(); err != nil || opening.Kind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	var members []member
	for decoder.PeekKind() == '"' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		members = append(members, member{text, value.Clone()})
	}
	_, err := decoder.ReadToken() // the closing brace
	return members, err
}

// place is where a value stands: the members that lead to it, and how they are called.
type place struct{ members, labels []string }

func (p place) within(member, label string) place {
	return place{append(slices.Clone(p.members), member), append(slices.Clone(p.labels), label)}
}

// item is the place of an array's item, counted from 1.
func (p place) item(number int) place {
	return place{p.members, append(slices.Clone(p.labels), strconv.Itoa(number))}
}

// describer collects the rows of one element.
type describer struct {
	words       *words
	types       *authorizationdetails.Types
	detailsType string
	rows        []detailRow
}

func (d *describer) add(at place, values ...string) {
	d.rows = append(d.rows, detailRow{strings.Join(at.labels, labelSeparator), values})
}

func (d *describer) describe(at place, value jsontext.Value) error {
	switch value.Kind() {
	case '{':
		return d.describeObject(at, value)
	case '[':
		return d.describeArray(at, value)
	}
	text, err := d.words.scalarText(value)
	d.add(at, text)
	return err
}

func (d *describer) describeObject(at place, value jsontext.Value) error {
	members, err := membersOf(value)
	if err != nil {
		return err
	}
	if money, ok := d.words.moneyText(members); ok {
		d.add(at, money)
		return nil
	}
	if len(members) == 0 {
		d.add(at, "")
	}
	for _, member := range members {
		inside := at.within(member.name, d.label(append(slices.Clone(at.members), member.name)))
		if err := d.describe(inside, member.value); err != nil {
			return err
		}
	}
	return nil
}

// describeArray makes one row of plain values, and rows of its own for each item
// of an array that holds anything else.
func (d *describer) describeArray(at place, value jsontext.Value) error {
	var items []jsontext.Value
	if err := jsonv2.Unmarshal(value, &items); err != nil {
		return err
	}
	if slices.ContainsFunc(items, isComposite) {
		for i, item := range items {
			if err := d.describe(at.item(i+1), item); err != nil {
				return err
			}
		}
		return nil
	}
	values := make([]string, len(items))
	for i, item := range items {
		text, err := d.words.scalarText(item)
		if err != nil {
			return err
		}
		if at.namesOperations() && operationName.MatchString(text) {
			text = wordsOf(text)
		}
		values[i] = text
	}
	if len(values) == 0 {
		values = []string{""}
	}
	d.add(at, values...)
	return nil
}

// operationName is what wordsOf makes words of that no other name gives:
// read_balances is "Read balances".
var operationName = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// namesOperations tells whether the place is one of RFC 9396, 2.2 whose values
// are an interface's own names.
func (p place) namesOperations() bool {
	return len(p.members) == 1 && slices.Contains([]string{"actions", "datatypes", "privileges"}, p.members[0])
}

func isComposite(value jsontext.Value) bool { return value.Kind() == '{' || value.Kind() == '[' }

// scalarText is a string, number or truth value as people read it; empty for null.
func (w *words) scalarText(value jsontext.Value) (string, error) {
	switch value.Kind() {
	case 't':
		return w.Yes, nil
	case 'f':
		return w.No, nil
	case 'n':
		return "", nil
	case '0':
		return string(value), nil
	}
	var text string
	if err := jsonv2.Unmarshal(value, &text); err != nil {
		return "", err
	}
	return visible(text), nil
}

// An amount of money as payment interfaces write it; the currency is ISO 4217's.
var (
	moneyAmount   = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	moneyCurrency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// moneyText puts an object of amount and currency alone into one text.
func (w *words) moneyText(members []member) (string, bool) {
	texts := map[string]string{}
	for _, member := range members {
		if isComposite(member.value) {
			return "", false
		}
		texts[member.name], _ = w.scalarText(member.value) // What is unreadable is no amount.
	}
	amount, currency := texts["amount"], texts["currency"]
	isMoney := len(members) == 2 && moneyAmount.MatchString(amount) && moneyCurrency.MatchString(currency)
	return amount + " " + currency, isMoney
}

// label is the title that the schema gives the member, or words made of its name.
func (d *describer) label(members []string) string {
	name := members[len(members)-1]
	if title := d.types.Title(d.detailsType, members); title != "" {
		return title
	}
	if common, ok := d.words.Details[name]; ok && len(members) == 1 {
		return common
	}
	return wordsOf(name)
}

// wordsOf makes words of a name in camel case or with underscores or hyphens:
// creditorName and creditor_name are "Creditor name", debtorIBAN is "Debtor IBAN".
func wordsOf(name string) string {
	letters := []rune(visible(strings.NewReplacer("_", " ", "-", " ").Replace(name)))
	isLower := func(i int) bool { return i >= 0 && i < len(letters) && unicode.IsLower(letters[i]) }
	var words strings.Builder
	for i, letter := range letters {
		if unicode.IsUpper(letter) && isLower(i-1) {
			words.WriteRune(' ')
			if isLower(i + 1) {
				letter = unicode.ToLower(letter)
			}
		}
		if i == 0 {
			letter = unicode.ToUpper(letter)
		}
		words.WriteRune(letter)
	}
	return words.String()
}

// visible shows as its code point what a reader would not see, or what would
// change how the rest is read: control and formatting characters, the ones that
// turn the direction of writing among them, and blanks that are no space.
func visible(text string) string {
	var shown strings.Builder
	for _, r := range text {
		if isVisible(r) {
			shown.WriteRune(r)
			continue
		}
		fmt.Fprintf(&shown, "⟨U+%04X⟩", r)
	}
	return shown.String()
}

// brailleBlank is a symbol without ink.
const brailleBlank = '\u2800'

func isVisible(r rune) bool {
	return unicode.IsPrint(r) && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
