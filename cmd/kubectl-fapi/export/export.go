// Package export turns clients of other authorization servers into
// FAPIApplications, and tells what FAPI refuses of them and what could not be
// carried over. No secret of theirs gets into its output.
package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Loss is a member of a client that is not in its FAPIApplication.
type Loss struct {
	// Member is named as in the file.
	Member string
	Reason string
}

// Client is one client of the other server.
type Client struct {
	// ID is its client_id there.
	ID string
	// Metadata is what it is and may do, in registered words.
	Metadata registration.Metadata
	// Lost is what has no place in Metadata.
	Lost []Loss
}

// Refused are the rules that the client breaks as it is.
func (c Client) Refused() []registration.Violation {
	_, violations := fapi.AdmitClient(c.Metadata, fapi.Limits{})
	return violations
}

func (c *Client) lose(member, reason string) {
	c.Lost = append(c.Lost, Loss{member, reason})
}

// Reasons that several members share.
const (
	reasonNothingLikeIt = "there is nothing like it here"
	reasonSecret        = "shared secrets and tokens stay where they are; the client authenticates with a key or a certificate"
	reasonUnreadable    = "the value is not of the type that is expected here"
)

// Clients are those of a file.
type Clients struct {
	Clients []Client
	// Skipped names clients that become no FAPIApplication, and why.
	Skipped []Loss
}

// Formats reads a file of each format.
var Formats = map[string]func([]byte) (Clients, error){
	"hydra-client":   readHydra,
	"keycloak-realm": readKeycloak,
}

// FormatNames are the names of the formats, in order.
func FormatNames() []string { return slices.Sorted(maps.Keys(Formats)) }

// object is a JSON object as it is written.
type object map[string]jsontext.Value

// readObjects takes an object, or an array of at least one.
func readObjects(content []byte) ([]object, error) {
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
		objects, err := decode[[]object](content)
		if err == nil && len(objects) == 0 {
			err = errors.New("the file holds no client")
		}
		return objects, err
	}
	single, err := decode[object](content)
	return []object{single}, err
}

// decode repeats no value in its error: the file holds secrets.
func decode[T any](content []byte) (T, error) {
	var value T
	err := jsonv2.Unmarshal(content, &value)
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return value, nil
	case errors.As(err, &syntax):
		return value, fmt.Errorf("the file is no JSON at byte %d (%s)", syntax.ByteOffset, syntax.JSONPointer)
	}
	return value, errors.New("the file is JSON, but not of this format")
}

// isEmpty tells whether a member says nothing.
func isEmpty(value jsontext.Value) bool {
	switch string(bytes.TrimSpace(value)) {
	case "null", "false", `""`, "[]", "{}", "0":
		return true
	}
	return false
}

// sortLosses orders by member, since maps have no order.
func (c *Client) sortLosses() {
	slices.SortStableFunc(c.Lost, func(a, b Loss) int { return bytes.Compare([]byte(a.Member), []byte(b.Member)) })
}

// setMetadata reads the members that have a registered name, one by one, so that
// one of the wrong type does not take the others with it.
func (c *Client) setMetadata(members map[string]jsontext.Value, named map[string]string) {
	for member, value := range members {
		encoded, err := json.Marshal(map[string]json.RawMessage{member: json.RawMessage(value)})
		if err == nil {
			err = jsonv2.Unmarshal(encoded, &c.Metadata, jsonv2.RejectUnknownMembers(true))
		}
		switch {
		case errors.Is(err, jsonv2.ErrUnknownName):
			c.lose(named[member], reasonNothingLikeIt)
		case err != nil:
			c.lose(named[member], reasonUnreadable)
		}
	}
}
