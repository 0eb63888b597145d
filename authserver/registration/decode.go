package registration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
)

// MaxBytes is the size of the largest registration that is read, in bytes; our
// own choice: fifty RSA keys with certificate chains fit.
const MaxBytes = 512 << 10

// Decode reads one JSON document strictly: an unknown member, a member stated
// twice, a wrong type, and anything after the document are errors that say
// where. Values are never echoed.
func Decode(data []byte, into any) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("the document has %d bytes; at most %d are read", len(data), MaxBytes)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("the document is empty: %w", io.ErrUnexpectedEOF)
	}
	if err := jsonv2.Unmarshal(data, into, jsonv2.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("not the JSON document that is expected here: %w", explain(err))
	}
	return nil
}

// explain says what is wrong in JSON's words instead of Go's, and leaves out the
// value, which the decoder repeats when it is a number.
func explain(err error) error {
	semantic, ok := errors.AsType[*jsonv2.SemanticError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, jsonv2.ErrUnknownName):
		return fmt.Errorf("the member %q is not known", semantic.JSONPointer)
	case semantic.JSONPointer == "":
		return errors.New("an object is expected, and this is another value")
	}
	return fmt.Errorf("the member %q has the wrong type or is out of range", semantic.JSONPointer)
}

// DecodeMetadata reads client metadata strictly.
func DecodeMetadata(data []byte) (Metadata, error) {
	var metadata Metadata
	err := Decode(data, &metadata)
	return metadata, err
}

// Encode writes the metadata in its canonical form: members in the order of
// Metadata's fields, absent ones left out, key sets compacted. Equal metadata
// has equal bytes, so a digest of them tells whether content differs.
func (m Metadata) Encode() ([]byte, error) {
	encoded, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode client metadata: %w", err)
	}
	return encoded, nil
}
