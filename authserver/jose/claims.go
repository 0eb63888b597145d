package jose

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Audience is an "aud" claim (RFC 7519, 4.1.3): one string, or an array of strings. It remembers which, since FAPI 2.0
// asks client assertions for the string.
type Audience struct {
	values []string
	single bool
}

// SingleAudience makes an audience that is written as a string.
func SingleAudience(value string) Audience {
	return Audience{values: []string{value}, single: true}
}

// AudienceList makes an audience that is written as an array.
func AudienceList(values ...string) Audience {
	return Audience{values: slices.Clone(values)}
}

// IsSingleString reports whether the claim was a string and not an array.
func (a Audience) IsSingleString() bool { return a.single }

// Values returns the audience's members in order.
func (a Audience) Values() []string { return slices.Clone(a.values) }

// Contains compares as strings, case and all.
func (a Audience) Contains(value string) bool { return slices.Contains(a.values, value) }

// MarshalJSON writes the form that was read.
func (a Audience) MarshalJSON() ([]byte, error) {
	if a.single {
		return json.Marshal(a.values[0])
	}
	return json.Marshal(append([]string{}, a.values...))
}

// UnmarshalJSON takes a string or an array of strings.
func (a *Audience) UnmarshalJSON(raw []byte) error {
	var value *string
	if json.Unmarshal(raw, &value) == nil && value != nil {
		*a = SingleAudience(*value)
		return nil
	}
	var pointers []*string
	if err := json.Unmarshal(raw, &pointers); err != nil || pointers == nil || slices.Contains(pointers, nil) {
		return fmt.Errorf("%w: an audience is a string or an array of strings", ErrMalformed)
	}
	*a = Audience{}
	for _, pointer := range pointers {
		a.values = append(a.values, *pointer)
	}
	return nil
}

// NumericDate is a time claim (RFC 7519, 2): seconds since 1970-01-01T00:00:00Z, of which a fraction may be sent.
type NumericDate struct {
	seconds float64
}

// maxNumericDate is the end of the year 9999, the last that RFC 3339 can write. Our own bound.
const maxNumericDate = 253402300799

// NewNumericDate makes a date of whole seconds; a fraction is cut off.
func NewNumericDate(t time.Time) NumericDate {
	return NumericDate{seconds: float64(t.Unix())}
}

// Time returns the date at a precision of microseconds.
func (d NumericDate) Time() time.Time {
	return time.UnixMicro(int64(math.Round(d.seconds * 1e6))).UTC()
}

// IsIntegral reports whether the date has no fraction.
func (d NumericDate) IsIntegral() bool { return d.seconds == math.Trunc(d.seconds) }

// MarshalJSON writes plain decimal notation.
func (d NumericDate) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, d.seconds, 'f', -1, 64), nil
}

// UnmarshalJSON takes a JSON number from 0 to the end of the year 9999, never a string.
func (d *NumericDate) UnmarshalJSON(raw []byte) error {
	var seconds *float64
	if err := json.Unmarshal(raw, &seconds); err != nil || seconds == nil {
		return fmt.Errorf("%w: a date is a number of seconds since 1970", ErrMalformed)
	}
	if *seconds < 0 || *seconds > maxNumericDate {
		return fmt.Errorf("%w: a date is outside the years 1970 to 9999", ErrMalformed)
	}
	d.seconds = *seconds
	return nil
}
