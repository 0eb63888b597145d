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
