// Package column is how every backend keeps a time, a digest and a record in a
// column of an SQL database.
package column

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Micros is a time as it is kept: microseconds since 1970 UTC.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// Instant reads a time.
func Instant(into *time.Time) sql.Scanner { return instant{into} }

// Digest reads a digest.
func Digest(into *oauth.Digest) sql.Scanner { return digest{into} }

// ScannerValuer is a column that is read and written.
type ScannerValuer interface {
	sql.Scanner
	driver.Valuer
}

// Document keeps a value as JSON, or reads it into a pointer; a nil pointer is NULL.
func Document(of any) ScannerValuer { return document{of} }

type instant struct{ into *time.Time }

func (c instant) Scan(value any) error {
	kept, isInteger := value.(int64)
	if !isInteger {
		return fmt.Errorf("a time column holds %T", value)
	}
	*c.into = time.UnixMicro(kept).UTC()
	return nil
}

type digest struct{ into *oauth.Digest }

func (c digest) Scan(value any) error {
	kept, isBlob := value.([]byte)
	if !isBlob || len(kept) != len(c.into) {
		return fmt.Errorf("a digest column holds %T of %d bytes", value, len(kept))
	}
	copy(c.into[:], kept)
	return nil
}

type document struct{ of any }

func (c document) Value() (driver.Value, error) {
	encoded, err := json.Marshal(c.of)
	if err != nil || string(encoded) == "null" {
		return nil, err
	}
	return string(encoded), nil
}

func (c document) Scan(value any) error {
	switch kept := value.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(kept), c.of)
	}
	return fmt.Errorf("a JSON column holds %T", value)
}
