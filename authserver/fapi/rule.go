// Package fapi is the rule book: every FAPI 2.0 rule that the product holds to,
// each once. A rule is an identifier, its clause, one small predicate and the
// OAuth error code. The rules of a moment (a registration, a client assertion,
// a pushed request, ...) stand in an ordered list at the top of one file.
//
// The package is pure: it knows no clock, context, network, log or store. A
// moment's facts, the time included, are handed to it.
package fapi

import (
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Rule is one demand on the facts F of a moment.
type Rule[F any] struct {
	ID oauth.RuleID
	// Clause cites the final text: "FAPI 2.0 Security Profile, 5.3.2.2-5".
	Clause string
	// Demand is the rule in one sentence that a client's developer may read.
	Demand string
	// Remedy says what to do or write instead.
	Remedy string
	// Code is the OAuth error that answers a broken rule.
	Code oauth.ErrorCode
	// Member is the metadata member or request parameter at fault.
	Member string
	// Holds is true when the facts obey. Facts to which the rule does not apply obey.
	Holds func(F) bool
}

// refusal is the error that a broken rule becomes at run time.
func (r Rule[F]) refusal() *oauth.Error {
	return &oauth.Error{Code: r.Code, Rule: r.ID, Description: r.Demand}
}

// violation is what a broken rule becomes at registration.
func (r Rule[F]) violation() registration.Violation {
	return registration.Violation{Rule: r.ID, Clause: r.Clause, Member: r.Member, Demand: r.Demand, Remedy: r.Remedy}
}

// firstBroken applies rules in their order and stops at the first that does not hold.
func firstBroken[F any](rules []Rule[F], facts F) *oauth.Error {
	for _, rule := range rules {
		if !rule.Holds(facts) {
			return rule.refusal()
		}
	}
	return nil
}

// allBroken applies every rule, so that a person sees all that is wrong at once.
func allBroken[F any](rules []Rule[F], facts F) []registration.Violation {
	var violations []registration.Violation
	for _, rule := range rules {
		if !rule.Holds(facts) {
			violations = append(violations, rule.violation())
		}
	}
	return violations
}
