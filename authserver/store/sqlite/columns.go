package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// micros is a time as it is kept.
func micros(t time.Time) int64 { return t.UnixMicro() }

// instant reads a time.
type instant struct{ into *time.Time }

func (c instant) Scan(value any) error {
	kept, isInteger := value.(int64)
	if !isInteger {
		return fmt.Errorf("a time column holds %T", value)
	}
	*c.into = time.UnixMicro(kept).UTC()
	return nil
}

// digest reads a digest.
type digest struct{ into *oauth.Digest }

func (c digest) Scan(value any) error {
	kept, isBlob := value.([]byte)
	if !isBlob || len(kept) != len(c.into) {
		return fmt.Errorf("a digest column holds %T of %d bytes", value, len(kept))
	}
	copy(c.into[:], kept)
	return nil
}

// document keeps a value as JSON; a nil pointer is NULL.
type document struct{ of any }

// Value implements driver.Valuer.
func (c document) Value() (driver.Value, error) {
	encoded, err := json.Marshal(c.of)
	if err != nil || string(encoded) == "null" {
		return nil, err
	}
	return string(encoded), nil
}

// Scan implements sql.Scanner.
func (c document) Scan(value any) error {
	switch kept := value.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(kept), c.of)
	}
	return fmt.Errorf("a JSON column holds %T", value)
}

var (
	_ sql.Scanner   = instant{}
	_ sql.Scanner   = digest{}
	_ sql.Scanner   = document{}
	_ driver.Valuer = document{}
)
