package fapi

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ClaimsRequest is a claims parameter (OpenID Connect Core, 5.5): where which
// claims are wanted. The zero value asks for nothing.
type ClaimsRequest struct {
	UserInfo RequestedClaims `json:"userinfo"`
	IDToken  RequestedClaims `json:"id_token"`
}

// RequestedClaims says what is asked of each claim, by the claim's name.
type RequestedClaims map[string]RequestedClaim

// RequestedClaim is what is asked of one claim (OpenID Connect Core, 5.5.1). The
// zero value, which stands for null, asks for whatever value it has.
type RequestedClaim struct {
	Essential bool `json:"essential"`
	// Value is the one that is asked for; nil without one.
	Value any `json:"value"`
	// Values are those of which one is asked for; nil without any.
	Values []any `json:"values"`
}

// ParseClaimsRequest reads a claims parameter; an empty one asks for nothing.
// Members that the specification does not name are ignored, at every place
// (OpenID Connect Core, 5.5); repeated ones are an error.
func ParseClaimsRequest(parameter string) (ClaimsRequest, error) {
	var request ClaimsRequest
	if parameter == "" {
		return request, nil
	}
	if err := checkClaimsForm(parameter); err != nil {
		return ClaimsRequest{}, fmt.Errorf("claims: %w", err)
	}
	if err := json.Unmarshal([]byte(parameter), &request); err != nil {
		return ClaimsRequest{}, fmt.Errorf("claims: %w", err)
	}
	return request, nil
}

// checkClaimsForm demands one JSON object within the bounds.
func checkClaimsForm(parameter string) error {
	if len(parameter) > MaxClaimsLength {
		return errors.New("it is too long")
	}
	decoder := jsontext.NewDecoder(strings.NewReader(parameter))
	if decoder.PeekKind() != '{' {
		return errors.New("it is not a JSON object")
	}
	for {
		_, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if decoder.StackDepth() > MaxClaimsDepth {
			return errors.New("it is nested too deep")
		}
	}
}

// AdmitsSubject tells whether the request may be answered for this person: a
// stated sub must be theirs, wherever it stands (OpenID Connect Core, 3.1.2.2; the
// sub of the userinfo response is the ID token's, 5.3.2).
func (r ClaimsRequest) AdmitsSubject(subject string) bool {
	return r.IDToken["sub"].Admits(subject) && r.UserInfo["sub"].Admits(subject)
}

// NamesSubject tells whether only one person, or one of several, may log in.
func (r ClaimsRequest) NamesSubject() bool {
	return r.IDToken["sub"].isParticular() || r.UserInfo["sub"].isParticular()
}

// AdmitsACR tells whether a login of this acr will do. Only an essential acr of
// the ID token makes a demand (OpenID Connect Core, 5.5.1.1).
func (r ClaimsRequest) AdmitsACR(acr string) bool {
	wanted := r.IDToken["acr"]
	return !wanted.Essential || wanted.Admits(acr)
}

// Of picks the claims that are asked for out of all that is known, except those
// whose value is another than the one that is asked for.
func (r RequestedClaims) Of(known map[string]any) map[string]any {
	claims := map[string]any{}
	for name, wanted := range r {
		if value, ok := known[name]; ok && wanted.Admits(value) {
			claims[name] = value
		}
	}
	return claims
}

// Admits tells whether the value, as JSON decodes it, is one that is asked for.
func (c RequestedClaim) Admits(value any) bool {
	same := func(wanted any) bool { return reflect.DeepEqual(wanted, value) }
	return !c.isParticular() || c.Value != nil && same(c.Value) || slices.ContainsFunc(c.Values, same)
}

func (c RequestedClaim) isParticular() bool { return c.Value != nil || c.Values != nil }
