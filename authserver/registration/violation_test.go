package registration

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

var twoViolations = &RejectedError{Violations: []Violation{
	{Rule: "FAPI2-SP-FINAL-5.3.2.1-2", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-2", Member: "grant_types", Demand: "the password grant is refused", Remedy: "use authorization_code"},
	{Rule: "LOCAL-CLIENT-ID", Clause: "our own choice", Member: "client_id", Demand: "a client_id is short", Remedy: "shorten it"},
}}

func TestRejectedErrorTellsEveryRuleAndTheWayOut(t *testing.T) {
	t.Parallel()
	const want = "the client's registration is refused: " +
		"grant_types: the password grant is refused (FAPI2-SP-FINAL-5.3.2.1-2; FAPI 2.0 Security Profile, 5.3.2.1-2); use authorization_code; " +
		"client_id: a client_id is short (LOCAL-CLIENT-ID; our own choice); shorten it"
	if got := twoViolations.Error(); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestRejectedErrorIsFoundInsideAnother(t *testing.T) {
	t.Parallel()
	rejected, ok := errors.AsType[*RejectedError](fmt.Errorf("register bank.app: %w", twoViolations))
	if !ok {
		t.Fatal("not found")
	}
	if got, want := rejected.Rules(), []oauth.RuleID{"FAPI2-SP-FINAL-5.3.2.1-2", "LOCAL-CLIENT-ID"}; !slices.Equal(got, want) {
		t.Errorf("rules %v, want %v", got, want)
	}
}
