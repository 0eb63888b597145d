package main

import (
	"strings"
	"testing"
	"time"
)

func TestTheReportFailsUnlessAllWentAsExpected(t *testing.T) {
	for _, test := range []struct {
		name         string
		results      []string
		expectations []expectation
		wrong        string
	}{
		{name: "all passed", results: []string{resultPassed, resultReview}},
		{name: "one failed", results: []string{resultPassed, resultFailed}, wrong: "1 results of 2 modules"},
		{name: "nothing was run", wrong: "no module was run"},
		{name: "a stale expectation", results: []string{resultPassed}, expectations: []expectation{slowState}, wrong: "1 results of 1 modules"},
	} {
		var out strings.Builder
		report := newReport(&out, test.expectations)
		for _, result := range test.results {
			report.add(outcome{Plan: "sp-a", Module: "m", Result: result})
		}
		err := report.conclude(true)
		if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%s: %v, want %q; printed:\n%s", test.name, err, test.wrong, out.String())
		}
	}
}

func TestARowShowsWhatWasFound(t *testing.T) {
	var out strings.Builder
	report := newReport(&out, nil)
	findings, err := readFindings([]byte(`[
		{"src": "EnsureGood", "result": "SUCCESS", "msg": "good"},
		{"src": "EnsureBetter", "result": "WARNING", "msg": "could be better", "requirements": ["PAR-2.2"]},
		{"src": "-START-BLOCK-", "msg": "a block"}]`))
	if err != nil {
		t.Fatal(err)
	}
	report.add(outcome{Plan: "sp-a", Module: "happy-flow", Result: resultWarning, Took: 1500 * time.Millisecond, Findings: findings, LogURL: "https://suite/log"})
	for _, want := range []string{"sp-a", "happy-flow", "1.5", "WARNING EnsureBetter: could be better (PAR-2.2)", "https://suite/log"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "EnsureGood") {
		t.Errorf("what was good is shown:\n%s", out.String())
	}
}

func TestResultsAreATableOfWhatWasRun(t *testing.T) {
	groups := []group{
		{Title: "Security Profile", Combinations: []plan{{Name: "sp-a"}, {Name: "sp-b"}, {Name: "sp-not-run"}}},
		{Title: "Message Signing", Combinations: []plan{{Name: "ms-not-run"}}},
	}
	report := newReport(new(strings.Builder), []expectation{{Module: "n", Plan: "*", Result: resultSkipped, Reason: "there is none"}})
	report.add(outcome{Plan: "sp-b", Module: "m", Result: resultReview})
	report.add(outcome{Plan: "sp-a", Module: "m", Result: resultPassed})
	report.add(outcome{Plan: "sp-a", Module: "n", Result: resultSkipped})
	report.add(outcome{Plan: "sp-b", Module: "o", Result: resultFailed})
	text := report.results(heading{"5.2.4", "abcdef", "off", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, groups)
	for _, want := range []string{
		"- Suite: 5.2.4\n- Server: commit abcdef; DPoP nonces off\n- Date: 2026-01-02\n- 4 modules: 1 PASSED, 1 REVIEW, 1 SKIPPED, 1 FAILED\n",
		"## Security Profile\n\n| module | sp-a | sp-b |\n|---|---|---|\n| m | PASSED | REVIEW |\n| n | SKIPPED |  |\n| o |  | FAILED |\n",
		"- n, SKIPPED: there is none\n", "- o, FAILED: not expected\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "not-run") || strings.Contains(text, "Message Signing") {
		t.Errorf("the table shows what was not run:\n%s", text)
	}
}
