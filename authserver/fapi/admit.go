package fapi

import (
	"cmp"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// AdmitClient asks every registration rule about the metadata, with defaults
// filled in. It returns the client if all of them hold, and otherwise nil and
// every violation in the rule book's order. The metadata's slices must not be
// changed afterwards.
func AdmitClient(metadata registration.Metadata, limits Limits) (*Client, []registration.Violation) {
	facts := examine(metadata, limits)
	if violations := allBroken(registrationRules, facts); len(violations) > 0 {
		return nil, violations
	}
	return &Client{
		metadata:     facts.Metadata,
		keys:         facts.keys.set,
		trustAnchors: facts.anchors.certificates,
	}, nil
}

// candidate is a client that asks to be registered: its metadata with defaults
// filled in, and what its keys and trust anchors turn out to be.
type candidate struct {
	registration.Metadata
	limits  Limits
	keys    statedKeys
	anchors statedAnchors
}

func examine(metadata registration.Metadata, limits Limits) *candidate {
	return &candidate{
		Metadata: metadata.WithDefaults(),
		limits:   limits,
		keys:     examineKeys(metadata.JWKS),
		anchors:  examineAnchors(metadata.TLSClientAuthTrustAnchors),
	}
}

// isPending tells whether the member is stated but its content is not known here.
func (c *candidate) isPending(name string) bool { return slices.Contains(c.limits.Pending, name) }

// memberRule is one demand on several metadata members alike; it becomes one
// Rule for each of its checks.
type memberRule struct {
	ID     oauth.RuleID
	Clause string
	Demand string
	Remedy string
	Code   oauth.ErrorCode // invalid_client_metadata when empty
	Checks []check
}

// check is a predicate and the member that is at fault when it is false.
type check struct {
	member string
	holds  func(*candidate) bool
	// condition is the predicate as data, as far as it can be said so; nil where
	// nothing of it can. Where it is all, the predicate says nothing more.
	condition Condition
	isAll     bool
}

// member is a metadata member whose value is a string.
type member struct {
	name string
	of   func(*candidate) string
}

// list is a metadata member whose value is a list.
type list struct {
	name string
	of   func(*candidate) []string
}

// on makes the check of a single member.
func on(name string, holds func(*candidate) bool) []check {
	return []check{{member: name, holds: holds}}
}

// demand makes the check of a single member from a condition, which says all of it.
func demand(name string, condition Condition) []check {
	return []check{{name, condition.holds, condition, true}}
}

// demandAndMore makes the check of a single member from a condition, and from
// what no condition can say.
func demandAndMore(name string, condition Condition, more func(*candidate) bool) []check {
	holds := func(c *candidate) bool { return condition.holds(c) && more(c) }
	return []check{{name, holds, condition, false}}
}

// demandOfEach makes a check for every member from a condition on it.
func demandOfEach(condition func(member) Condition, members ...member) []check {
	var checks []check
	for _, member := range members {
		checks = append(checks, demand(member.name, condition(member))...)
	}
	return checks
}

// demandOfEachAndMore is demandOfEach, and what no condition can say of a value that is stated.
func demandOfEachAndMore(condition func(member) Condition, more func(c *candidate, value string) bool, members ...member) []check {
	var checks []check
	for i, rest := range each(more, members...) {
		checks = append(checks, demandAndMore(rest.member, condition(members[i]), rest.holds)...)
	}
	return checks
}

// hasIfStated makes the condition of demandOfEach that asks for a form.
func hasIfStated(form Form) func(member) Condition {
	return func(m member) Condition { return m.hasIfStated(form) }
}

// each makes a check for every member. A member that is left out obeys.
func each(holds func(c *candidate, value string) bool, members ...member) []check {
	checks := make([]check, len(members))
	for i, member := range members {
		checks[i] = check{member: member.name, holds: func(c *candidate) bool {
			value := member.of(c)
			return value == "" && !c.isPending(member.name) || holds(c, value)
		}}
	}
	return checks
}

func expand(memberRules []memberRule) []Rule[*candidate] {
	var rules []Rule[*candidate]
	for _, rule := range memberRules {
		for _, check := range rule.Checks {
			rules = append(rules, Rule[*candidate]{
				ID:     rule.ID,
				Clause: rule.Clause,
				Demand: rule.Demand,
				Remedy: rule.Remedy,
				Code:   cmp.Or(rule.Code, oauth.InvalidClientMetadata),
				Member: check.member,
				Holds:  check.holds,
			})
		}
	}
	return rules
}
