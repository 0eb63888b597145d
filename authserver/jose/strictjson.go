package jose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxJSONDepth bounds the nesting of what is read; the deepest real documents (authorization_details, claims requests)
// stay under ten. Our own choice.
const maxJSONDepth = 32

// readObject reads a JSON object and returns its members under their exact names. It refuses what two parsers could
// understand differently: repeated names at any depth (RFC 7515, 4; RFC 7519, 4), text that is not UTF-8, anything
// after the object, and members that are null, which are neither there nor absent.
// Its errors quote nothing of the document.
func readObject(raw []byte) (map[string]json.RawMessage, error) {
	if err := checkStrictJSON(raw); err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	for _, value := range members {
		if string(value) == "null" {
			return nil, fmt.Errorf("%w: a member is null; leave it out instead", ErrMalformed)
		}
	}
	return members, nil
}

func checkStrictJSON(raw []byte) error {
	if !utf8.Valid(raw) {
		return fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	if !json.Valid(raw) {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return checkValue(decoder, 0)
}

func checkValue(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	opening, isComposite := token.(json.Delim)
	if !isComposite {
		return nil
	}
	if depth == maxJSONDepth {
		return fmt.Errorf("%w: nested deeper than %d levels", ErrMalformed, maxJSONDepth)
	}
	if err := checkElements(decoder, opening, depth+1); err != nil {
		return err
	}
	_, err = decoder.Token() // the closing delimiter
	return err
}

func checkElements(decoder *json.Decoder, opening json.Delim, depth int) error {
	isObject := opening == '{'
	seen := map[string]struct{}{}
	for decoder.More() {
		if isObject {
			if err := checkName(decoder, seen); err != nil {
				return err
			}
		}
		if err := checkValue(decoder, depth); err != nil {
			return err
		}
	}
	return nil
}

func checkName(decoder *json.Decoder, seen map[string]struct{}) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	name, _ := token.(string)
	if _, repeated := seen[name]; repeated {
		return fmt.Errorf("%w: a member name is repeated before byte %d", ErrMalformed, decoder.InputOffset())
	}
	seen[name] = struct{}{}
	return nil
}

// stringMember returns "" when the member is absent.
func stringMember(members map[string]json.RawMessage, name string) (string, error) {
	raw, present := members[name]
	if !present {
		return "", nil
	}
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		return "", fmt.Errorf("%w: %q is not a string", ErrMalformed, name)
	}
	return value, nil
}
