package registration

import (
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Violation is one rule that a client's metadata breaks.
type Violation struct {
	Rule oauth.RuleID `json:"rule"`
	// Clause cites the document: "FAPI 2.0 Security Profile, 5.3.2.2-5".
	Clause string `json:"clause"`
	// Member is the metadata member at fault, as its JSON name.
	Member string `json:"member"`
	// Demand is the rule in a sentence; Remedy says what to write instead.
	Demand string `json:"demand"`
	Remedy string `json:"remedy"`
}

// String is the violation in a line: what is demanded, by which clause, and the way out.
func (v Violation) String() string {
	return v.Member + ": " + v.Demand + " (" + string(v.Rule) + "; " + v.Clause + "); " + v.Remedy
}

// RejectedError is the rule book's refusal of a registration. It is final until
// the metadata changes: trying again is of no use.
type RejectedError struct {
	Violations []Violation
}

// Error lists the violations, one after the other.
func (e *RejectedError) Error() string {
	lines := make([]string, len(e.Violations))
	for i, violation := range e.Violations {
		lines[i] = violation.String()
	}
	return "the client's registration is refused: " + strings.Join(lines, "; ")
}

// Rules lists the identifiers of the broken rules, in the rule book's order.
func (e *RejectedError) Rules() []oauth.RuleID {
	rules := make([]oauth.RuleID, len(e.Violations))
	for i, violation := range e.Violations {
		rules[i] = violation.Rule
	}
	return rules
}
