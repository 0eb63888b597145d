package main

import (
	"strings"
	"testing"
)

var slowState = expectation{
	Module: "par-*", Plan: "ms-*", Result: resultWarning, Conditions: []string{"EnsureSlow"}, Reason: "it is slow by design",
}

func TestOutcomesAreJudgedByWhatIsExpected(t *testing.T) {
	expectations := []expectation{
		slowState,
		{Module: "claims", Plan: "*", Result: resultSkipped, Reason: "there are none"},
		{Module: "error-page", Plan: "*", Result: resultReview, Reason: "a person looks at the page"},
	}
	warning := finding{Condition: "EnsureSlow", Result: "WARNING"}
	for _, test := range []struct {
		name  string
		o     outcome
		wrong string // empty: as expected
	}{
		{"passed", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultPassed}, ""},
		{"a page to look at", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultReview}, ""},
		{"failed", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultFailed}, "FAILED is not expected"},
		{"warning", outcome{Plan: "sp-a", Module: "par-x", Result: resultWarning, Findings: []finding{warning}}, "WARNING is not expected"},
		{"a warning under a page to look at", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultReview, Findings: []finding{warning}}, "is not expected"},
		{"skipped", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultSkipped}, "SKIPPED is not expected"},
		{"interrupted", outcome{Plan: "sp-a", Module: "happy-flow", Result: stateInterrupted}, "INTERRUPTED is not expected"},
		{"too slow", outcome{Plan: "sp-a", Module: "happy-flow", Result: resultUnfinished}, "UNFINISHED is not expected"},
		{"no result", outcome{Plan: "sp-a", Module: "happy-flow"}, "is not expected"},
		{"expected warning", outcome{Plan: "ms-a", Module: "par-x", Result: resultWarning, Findings: []finding{warning}}, ""},
		{"another warning beside it", outcome{Plan: "ms-a", Module: "par-x", Result: resultWarning, Findings: []finding{warning, {Condition: "EnsureOther", Result: "WARNING"}}}, "EnsureOther is not expected"},
		{"a failure in place of it", outcome{Plan: "ms-a", Module: "par-x", Result: resultFailed, Findings: []finding{warning}}, "WARNING was expected: it is slow by design"},
		{"passed in place of it", outcome{Plan: "ms-a", Module: "par-x", Result: resultPassed}, "WARNING was expected: it is slow by design"},
		{"expected skip", outcome{Plan: "sp-a", Module: "claims", Result: resultSkipped, Findings: []finding{{Condition: "claims", Result: "SKIPPED"}}}, ""},
		{"passed in place of the skip", outcome{Plan: "sp-a", Module: "claims", Result: resultPassed}, "SKIPPED was expected: there are none"},
		{"passed in place of the review", outcome{Plan: "sp-a", Module: "error-page", Result: resultPassed}, "REVIEW was expected"},
	} {
		err := judge(expectations, test.o)
		switch {
		case test.wrong == "" && err != nil:
			t.Errorf("%s: %v, want no fault", test.name, err)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: %v, want %q", test.name, err, test.wrong)
		}
	}
}

func TestExpectationsWithoutAModuleAreStale(t *testing.T) {
	outcomes := []outcome{{Plan: "sp-a", Module: "par-x", Result: resultPassed}}
	if found := stale([]expectation{slowState}, outcomes); len(found) != 1 {
		t.Errorf("stale: %v, want the one about other plans", found)
	}
	outcomes = append(outcomes, outcome{Plan: "ms-a", Module: "par-x", Result: resultPassed})
	if found := stale([]expectation{slowState}, outcomes); len(found) != 0 {
		t.Errorf("stale: %v, want none", found)
	}
}

func TestExpectationsNeedAReason(t *testing.T) {
	for _, test := range []struct{ name, content, wrong string }{
		{"no reason", `[{"module": "a", "plan": "*", "result": "SKIPPED", "reason": " "}]`, "reason is missing"},
		{"no module", `[{"plan": "*", "result": "SKIPPED", "reason": "r"}]`, "module and plan"},
		{"a failure", `[{"module": "a", "plan": "*", "result": "FAILED", "reason": "r"}]`, "a failure is never right"},
		{"a warning without its check", `[{"module": "a", "plan": "*", "result": "WARNING", "reason": "r"}]`, "conditions"},
		{"a skip with checks", `[{"module": "a", "plan": "*", "result": "SKIPPED", "conditions": ["c"], "reason": "r"}]`, "conditions"},
		{"a member that is not known", `[{"modul": "a"}]`, "unknown field"},
	} {
		if _, err := parseExpectations([]byte(test.content)); err == nil || !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v, want %q", test.name, err, test.wrong)
		}
	}
	if _, err := loadExpectations(); err != nil {
		t.Error(err)
	}
}
