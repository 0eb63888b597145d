package fapi

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// AuthorizationDetails is what is known of an authorization_details parameter
// (RFC 9396, 2) once its text is read.
type AuthorizationDetails struct {
	// Length is in characters: that of the text, or of the elements as an access
	// token carries them when that is more.
	Length int
	// Fault is why the text is no authorization details; Elements are nil then.
	Fault error
	// Elements are in the order of the text.
	Elements []AuthorizationDetail
}

// AuthorizationDetail is one element of authorization_details.
type AuthorizationDetail struct {
	Client *Client
	Type   string
	// JSON is the object as it was sent, without white space.
	JSON json.RawMessage
	// Canonical is the same for two elements that say the same (RFC 9396, 6.1):
	// members sorted, texts spelt alike, numbers as they were written.
	Canonical string
	// Supported: the server's configuration declares the type; WithoutPerson: it lets
	// a client have it where nobody is asked.
	Supported     bool
	WithoutPerson bool
	// Fault is how the element departs from the type's schema, in a few words
	// without its values; "" when it conforms. It is asked only of a type that is
	// supported, and that the client may use.
	Fault string
}

// authorizationDetailsRules holds for the parameter as a whole, wherever it is sent.
var authorizationDetailsRules = []Rule[AuthorizationDetails]{
	{
		ID: "LOCAL-AUTHORIZATION-DETAILS-LENGTH", Clause: "our own limit", Code: oauth.InvalidAuthorizationDetails,
		Demand: fmt.Sprintf("authorization_details has at most %d characters, as it is sent and as access tokens carry it", MaxAuthorizationDetailsLength),
		Remedy: "ask for less at once, and refer to long data by an identifier", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetails) bool { return d.Length <= MaxAuthorizationDetailsLength },
	},
	{
		ID: "RFC9396-2", Clause: "RFC 9396, 2; RFC 8259, 4", Code: oauth.InvalidAuthorizationDetails,
		Demand: fmt.Sprintf("authorization_details is a JSON array of objects that each have a string type, without repeated member names and nested at most %d deep", MaxAuthorizationDetailsDepth),
		Remedy: `send JSON such as [{"type":"account_information","actions":["read_balances"]}]`, Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetails) bool { return d.Fault == nil },
	},
	{
		ID: "LOCAL-AUTHORIZATION-DETAILS-COUNT", Clause: "RFC 9396, 2; our own limit", Code: oauth.InvalidAuthorizationDetails,
		Demand: fmt.Sprintf("authorization_details has 1 to %d elements", MaxAuthorizationDetails),
		Remedy: "ask for less at once, or leave authorization_details out", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetails) bool {
			return len(d.Elements) > 0 && len(d.Elements) <= MaxAuthorizationDetails
		},
	},
}

// authorizationDetailRules holds for every element.
var authorizationDetailRules = []Rule[AuthorizationDetail]{
	{
		ID: "RFC9396-5", Clause: "RFC 9396, 5", Code: oauth.InvalidAuthorizationDetails,
		Demand: "the type is one that this server supports",
		Remedy: "send types of authorization_details_types_supported", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetail) bool { return d.Supported },
	},
	{
		ID: "RFC9396-10", Clause: "RFC 9396, 5 and 10", Code: oauth.InvalidAuthorizationDetails,
		Demand: "the type is one that the client registered",
		Remedy: "register the type in authorization_details_types", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetail) bool { return d.Client.MayUseAuthorizationDetails(d.Type) },
	},
	{
		ID: "RFC9396-5-SCHEMA", Clause: "RFC 9396, 5", Code: oauth.InvalidAuthorizationDetails,
		Demand: "the element conforms to the definition of its type",
		Remedy: "send the members that the type's schema describes, and no others", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetail) bool { return d.Fault == "" },
	},
}

// clientDetailRules holds for every element that is asked for with client
// credentials, where no person is asked.
var clientDetailRules = []Rule[AuthorizationDetail]{
	{
		ID: "LOCAL-AUTHORIZATION-DETAILS-PERSON", Clause: "our own policy, beside RFC 9396, 6", Code: oauth.InvalidAuthorizationDetails,
		Demand: "the type is one that the configuration gives without a person (withoutPerson): what a person must consent to is not had by client credentials",
		Remedy: "ask for it in an authorization request", Member: oauth.ParamAuthorizationDetails,
		Holds: func(d AuthorizationDetail) bool { return d.WithoutPerson },
	},
}

// CheckClientDetails refuses elements that need a person.
func CheckClientDetails(elements []AuthorizationDetail) *oauth.Error {
	for i, element := range elements {
		if refusal := firstBroken(clientDetailRules, element); refusal != nil {
			return element.locate(refusal, i)
		}
	}
	return nil
}

// CheckAuthorizationDetails refuses authorization details at the first rule that
// they break, and says which element breaks it and where.
func CheckAuthorizationDetails(d AuthorizationDetails) *oauth.Error {
	if refusal := firstBroken(authorizationDetailsRules, d); refusal != nil {
		return refusal.WithCause(d.Fault)
	}
	for i, element := range d.Elements {
		if refusal := firstBroken(authorizationDetailRules, element); refusal != nil {
			return element.locate(refusal, i)
		}
	}
	return nil
}

func (d AuthorizationDetail) locate(refusal *oauth.Error, index int) *oauth.Error {
	refusal.Description = fmt.Sprintf("authorization_details[%d]: %s", index, refusal.Description)
	if d.Fault != "" {
		refusal.Description += ": " + d.Fault
	}
	return refusal
}

// EncodeAuthorizationDetails writes elements as authorization_details; nil for none.
func EncodeAuthorizationDetails(elements []AuthorizationDetail) (json.RawMessage, error) {
	if len(elements) == 0 {
		return nil, nil
	}
	objects := make([]json.RawMessage, len(elements))
	for i, element := range elements {
		objects[i] = element.JSON
	}
	encoded, err := json.Marshal(objects)
	if err != nil {
		return nil, fmt.Errorf("encode authorization_details: %w", err)
	}
	return encoded, nil
}

// DetailsForGrant are the granted elements that may still be given: a grant may
// outlive a type that was taken from its client or from the server's
// configuration, or whose schema has become stricter.
func DetailsForGrant(granted AuthorizationDetails) []AuthorizationDetail {
	return slices.DeleteFunc(slices.Clone(granted.Elements), func(element AuthorizationDetail) bool {
		return firstBroken(authorizationDetailRules, element) != nil
	})
}

// DetailsRequest asks for elements out of what was granted.
type DetailsRequest struct {
	Requested []AuthorizationDetail
	Granted   []AuthorizationDetail
}

// tokenDetailsRules holds for authorization_details at the token endpoint where a
// person has granted them.
var tokenDetailsRules = []Rule[DetailsRequest]{
	{
		ID: "RFC9396-6", Clause: "RFC 9396, 6 and 6.1", Code: oauth.InvalidAuthorizationDetails,
		Demand: "authorization_details holds only elements that were granted, each as often as it was",
		Remedy: "send elements of the granted authorization_details unchanged, or leave the parameter out", Member: oauth.ParamAuthorizationDetails,
		Holds: func(r DetailsRequest) bool { return len(r.take()) == len(r.Requested) },
	},
}

// TakeDetails gives the granted elements that are asked for.
func TakeDetails(r DetailsRequest) ([]AuthorizationDetail, *oauth.Error) {
	if refusal := firstBroken(tokenDetailsRules, r); refusal != nil {
		return nil, refusal
	}
	return r.take(), nil
}

// take finds a granted element for each requested one, none of them twice.
func (r DetailsRequest) take() []AuthorizationDetail {
	left, taken := slices.Clone(r.Granted), []AuthorizationDetail{}
	for _, requested := range r.Requested {
		found := slices.IndexFunc(left, func(granted AuthorizationDetail) bool { return granted.Canonical == requested.Canonical })
		if found >= 0 {
			taken = append(taken, left[found])
			left = slices.Delete(left, found, found+1)
		}
	}
	return taken
}
