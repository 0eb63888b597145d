package authorizationdetails

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// Read reads the text of an authorization_details parameter, and says of each
// element what the rule book asks: nothing is refused here.
func (t *Types) Read(text string, client *fapi.Client) fapi.AuthorizationDetails {
	details := fapi.AuthorizationDetails{Length: len(text)}
	if details.Length > fapi.MaxAuthorizationDetailsLength {
		return details // Whatever is in it is not worth the work of reading it.
	}
	elements, err := t.elements(text, client)
	if err != nil {
		return fapi.AuthorizationDetails{Length: len(text), Fault: err}
	}
	encoded, err := fapi.EncodeAuthorizationDetails(elements)
	if err != nil {
		return fapi.AuthorizationDetails{Length: len(text), Fault: err}
	}
	details.Length = max(details.Length, len(encoded))
	details.Elements = elements
	return details
}

func (t *Types) elements(text string, client *fapi.Client) ([]fapi.AuthorizationDetail, error) {
	if err := checkTokens(text); err != nil {
		return nil, err
	}
	var objects []jsontext.Value
	if err := jsonv2.Unmarshal([]byte(text), &objects); err != nil || objects == nil {
		return nil, errors.New("not a JSON array")
	}
	elements := make([]fapi.AuthorizationDetail, len(objects))
	for i, object := range objects {
		element, err := t.element(object, client)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		elements[i] = element
	}
	return elements, nil
}

// maxDepth is that of an element's members, below the array and the element.
const maxDepth = fapi.MaxAuthorizationDetailsDepth + 2

// checkTokens demands strict JSON (no repeated member names, valid UTF-8, nothing
// after the value) within bounds of depth and of numbers, whose exponents would
// otherwise make a schema's arithmetic take all memory.
func checkTokens(text string) error {
	decoder := jsontext.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return errors.New("not JSON, or a member name is repeated")
		case decoder.StackDepth() > maxDepth:
			return fmt.Errorf("nested deeper than %d levels", fapi.MaxAuthorizationDetailsDepth)
		case token.Kind() == '0' && !hasShortExponent(token.String()):
			return fmt.Errorf("a number has an exponent beyond %d", fapi.MaxAuthorizationDetailsExponent)
		}
	}
}

func hasShortExponent(number string) bool {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return true
	}
	exponent, err := strconv.Atoi(number[at+1:])
	return err == nil && exponent >= -fapi.MaxAuthorizationDetailsExponent && exponent <= fapi.MaxAuthorizationDetailsExponent
}

func (t *Types) element(object jsontext.Value, client *fapi.Client) (fapi.AuthorizationDetail, error) {
	var common struct {
		Type *string `json:"type"`
	}
	if err := jsonv2.Unmarshal(object, &common); err != nil || common.Type == nil {
		return fapi.AuthorizationDetail{}, errors.New("not an object with a string type")
	}
	if err := object.Compact(); err != nil {
		return fapi.AuthorizationDetail{}, errors.New("not JSON")
	}
	canonical, err := canonicalForm(object)
	if err != nil {
		return fapi.AuthorizationDetail{}, err
	}
	element := fapi.AuthorizationDetail{Client: client, Type: *common.Type, JSON: json.RawMessage(object), Canonical: canonical}
	declared, supported := t.declared[element.Type]
	element.Supported, element.WithoutPerson = supported, declared.withoutPerson
	if supported && client.MayUseAuthorizationDetails(element.Type) {
		element.Fault, err = declared.fault(object)
	}
	return element, err
}

// canonicalForm is RFC 8785 but for numbers, which stay as they were written: two
// amounts that differ beyond double precision must not pass for one.
func canonicalForm(object jsontext.Value) (string, error) {
	canonical := object.Clone()
	if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return "", errors.New("not JSON that has a canonical form")
	}
	return string(canonical), nil
}

// fault is how the element departs from the type's schema; "" when it conforms.
func (t detailsType) fault(object jsontext.Value) (string, error) {
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(object))
	if err != nil {
		return "", errors.New("not JSON")
	}
	err = t.schema.Validate(instance)
	if err == nil {
		return "", nil
	}
	if departure, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return describe(departure), nil
	}
	return "it cannot be compared with the type's schema", nil
}
