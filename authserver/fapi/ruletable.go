package fapi

import (
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

//go:generate go run ./internal/ruletable ../../docs/rules.md

// RuleText is what a rule says to people. A rule on several members is several
// RuleTexts that differ in Member alone.
type RuleText struct {
	// Moment says when the rule is applied, such as "client registration".
	Moment string
	ID     oauth.RuleID
	// Clause cites the document: "FAPI 2.0 Security Profile, 5.3.2.2-5".
	Clause string
	// Demand is the rule in a sentence; Remedy says what to write instead.
	Demand string
	Remedy string
	// Code is the OAuth error that answers a broken rule.
	Code oauth.ErrorCode
	// Member is the metadata member or request parameter at fault.
	Member string
}

// Rules lists the rule book: every moment's rules, in the order in which they are applied.
func Rules() []RuleText {
	return slices.Concat(
		RegistrationRules(),
		ruleTexts("client authentication", clientCredentialsRules),
		ruleTexts("client assertion", clientAssertionRules),
		ruleTexts("client certificate", clientCertificateRules),
		ruleTexts("authenticated client", authenticatedClientRules),
		ruleTexts("request from a browser", originRules),
		ruleTexts("request object", requestObjectRules),
		ruleTexts("pushed authorization request", pushedRequestRules),
		ruleTexts("authorization details", authorizationDetailsRules),
		ruleTexts("authorization details: element", authorizationDetailRules),
		ruleTexts("authorization details by client credentials", clientDetailRules),
		ruleTexts("authorization request parameters", authorizationQueryRules),
		ruleTexts("authorization request", authorizationRequestRules),
		ruleTexts("login", authenticationRules),
		ruleTexts("login or consent page", pageVisitRules),
		ruleTexts("login", loginRules),
		ruleTexts("DPoP proof", dpopProofRules),
		ruleTexts("token request", tokenRequestRules),
		ruleTexts("authorization code: binding", codeBindingRules),
		ruleTexts("authorization code: redemption", codeRedemptionRules),
		ruleTexts("authorization code: state", codeStateRules),
		ruleTexts("refresh token", refreshRules),
		ruleTexts("token scope", tokenScopeRules),
		ruleTexts("token authorization details", tokenDetailsRules),
		ruleTexts("revocation request", revocationRequestRules),
		ruleTexts("introspection request", introspectionRequestRules),
		ruleTexts("introspected token", introspectedTokenRules),
		ruleTexts("resource request", resourceRequestRules),
	)
}

// RegistrationRules lists what is demanded of a client's registration.
func RegistrationRules() []RuleText { return ruleTexts("client registration", registrationRules) }

func ruleTexts[F any](moment string, rules []Rule[F]) []RuleText {
	texts := make([]RuleText, len(rules))
	for i, rule := range rules {
		texts[i] = RuleText{moment, rule.ID, rule.Clause, rule.Demand, rule.Remedy, rule.Code, rule.Member}
	}
	return texts
}

// ConditionalRule is a registration rule that a condition says.
type ConditionalRule struct {
	RuleText
	Condition Condition
	// IsAll tells that the condition says all of the rule. Otherwise the rule
	// demands more, and who breaks the condition breaks the rule.
	IsAll bool
}

// ConditionalRules lists those of RegistrationRules that a condition says, in
// their order.
func ConditionalRules() []ConditionalRule {
	var rules []ConditionalRule
	texts := RegistrationRules()
	for i, check := range checksOf(registrationDemands) {
		if check.condition != nil {
			rules = append(rules, ConditionalRule{texts[i], check.condition, check.isAll})
		}
	}
	return rules
}

// checksOf lists the checks of which expand makes rules, in the same order.
func checksOf(memberRules []memberRule) []check {
	var checks []check
	for _, rule := range memberRules {
		checks = append(checks, rule.Checks...)
	}
	return checks
}
