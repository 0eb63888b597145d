package main

import (
	"bytes"
	_ "embed" // plans.json
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// group is a table of the results: combinations of variants of one of the suite's plans.
type group struct {
	Title string `json:"title"`
	// Plan is the suite's name of the plan.
	Plan         string `json:"plan"`
	Combinations []plan `json:"combinations"`
}

// plan is a plan of the suite with its variants chosen.
type plan struct {
	// Name is our short name of the combination.
	Name    string  `json:"name"`
	Variant variant `json:"variant"`
	// suitePlan is the group's Plan.
	suitePlan string
}

// variant holds the suite's variant parameters; empty ones are left to the suite.
type variant struct {
	Profile      string `json:"fapi_profile"`
	ClientAuth   string `json:"client_auth_type"`
	Sender       string `json:"sender_constrain"`
	OpenID       string `json:"openid,omitempty"`
	Requests     string `json:"fapi_request_method,omitempty"`
	Responses    string `json:"fapi_response_mode,omitempty"`
	RequestsType string `json:"authorization_request_type,omitempty"`
}

//go:embed plans.json
var plansFile []byte

func loadPlans() ([]group, error) {
	var groups []group
	if err := decodeStrictly(plansFile, &groups); err != nil {
		return nil, fmt.Errorf("read plans.json: %w", err)
	}
	for g := range groups {
		for p := range groups[g].Combinations {
			groups[g].Combinations[p].suitePlan = groups[g].Plan
		}
	}
	return groups, nil
}

func decodeStrictly(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// choosePlans picks the plans that one of the patterns names; all without patterns.
func choosePlans(groups []group, patterns []string) ([]plan, error) {
	var all, chosen []plan
	for _, group := range groups {
		all = append(all, group.Combinations...)
	}
	if len(patterns) == 0 {
		return all, nil
	}
	for _, pattern := range patterns {
		if !slices.ContainsFunc(all, func(p plan) bool { return matches(pattern, p.Name) }) {
			return nil, fmt.Errorf("no plan is named %s; there are: %s", pattern, strings.Join(names(all), ", "))
		}
	}
	for _, plan := range all {
		if matchesAny(patterns, plan.Name) {
			chosen = append(chosen, plan)
		}
	}
	return chosen, nil
}

func names(plans []plan) []string {
	found := make([]string, 0, len(plans))
	for _, plan := range plans {
		found = append(found, plan.Name)
	}
	return found
}

// matches compares with a pattern as path.Match has it. A malformed pattern matches nothing.
func matches(pattern, name string) bool {
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, name) })
}

func (v variant) forClients() bool      { return v.Profile == "fapi_client_credentials_grant" }
func (v variant) usesOpenID() bool      { return v.OpenID == "openid_connect" }
func (v variant) usesDPoP() bool        { return v.Sender == "dpop" }
func (v variant) usesAssertions() bool  { return v.ClientAuth == "private_key_jwt" }
func (v variant) signsRequests() bool   { return v.Requests == "signed_non_repudiation" }
func (v variant) signsResponses() bool  { return v.Responses == "jarm" }
func (v variant) usesDetails() bool     { return v.RequestsType == "rar" }
func (v variant) usesCertificate() bool { return !v.usesAssertions() || !v.usesDPoP() }

// scope is what the clients ask for: two values at least, since a module turns
// their order around.
func (v variant) scope() string {
	switch {
	case v.forClients():
		return "accounts"
	case v.usesOpenID():
		return "openid accounts offline_access"
	}
	return "accounts offline_access"
}
