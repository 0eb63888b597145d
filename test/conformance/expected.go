package main

import (
	_ "embed" // expected.json
	"errors"
	"fmt"
	"slices"
	"strings"
)

// expectation says that modules of plans do not simply pass, and why that is right.
type expectation struct {
	// Module and Plan are patterns (path.Match) of short names.
	Module string `json:"module"`
	Plan   string `json:"plan"`
	// Result is WARNING, SKIPPED or REVIEW.
	Result string `json:"result"`
	// Conditions are the class names of the checks that warn; with WARNING only.
	Conditions []string `json:"conditions,omitempty"`
	// Reason is for the reader.
	Reason string `json:"reason"`
}

//go:embed expected.json
var expectedFile []byte

func loadExpectations() ([]expectation, error) { return parseExpectations(expectedFile) }

func parseExpectations(content []byte) ([]expectation, error) {
	var expectations []expectation
	if err := decodeStrictly(content, &expectations); err != nil {
		return nil, fmt.Errorf("read expected.json: %w", err)
	}
	for i, expectation := range expectations {
		if err := expectation.check(); err != nil {
			return nil, fmt.Errorf("expected.json, entry %d: %w", i+1, err)
		}
	}
	return expectations, nil
}

func (e expectation) check() error {
	switch {
	case e.Module == "" || e.Plan == "":
		return errors.New("module and plan name what it is about; * means all")
	case !slices.Contains([]string{resultWarning, resultSkipped, resultReview}, e.Result):
		return fmt.Errorf("result %q is not WARNING, SKIPPED or REVIEW: a failure is never right", e.Result)
	case (e.Result == resultWarning) != (len(e.Conditions) > 0):
		return errors.New("conditions name the checks that warn, and only with WARNING")
	case strings.TrimSpace(e.Reason) == "":
		return errors.New("the reason is missing")
	}
	return nil
}

// expectedOf is the first expectation about the module in the plan.
func expectedOf(expectations []expectation, plan, module string) *expectation {
	for i := range expectations {
		if matches(expectations[i].Plan, plan) && matches(expectations[i].Module, module) {
			return &expectations[i]
		}
	}
	return nil
}

// judge says what is wrong with an outcome; nil when it is what was expected.
func judge(expectations []expectation, o outcome) error {
	expected := expectedOf(expectations, o.Plan, o.Module)
	var allowed []string
	switch {
	case expected == nil && o.Result != resultPassed && o.Result != resultReview:
		return fmt.Errorf("%s is not expected", o.Result)
	case expected != nil && o.Result != expected.Result:
		return fmt.Errorf("%s was expected: %s", expected.Result, expected.Reason)
	case expected != nil:
		allowed = expected.Conditions
	}
	for _, finding := range o.Findings {
		if finding.Result != resultSkipped && !slices.Contains(allowed, finding.Condition) {
			return fmt.Errorf("%s of %s is not expected", finding.Result, finding.Condition)
		}
	}
	return nil
}

// stale are the expectations that are about none of the outcomes.
func stale(expectations []expectation, outcomes []outcome) []expectation {
	var found []expectation
	for i := range expectations {
		about := func(o outcome) bool { return expectedOf(expectations, o.Plan, o.Module) == &expectations[i] }
		if !slices.ContainsFunc(outcomes, about) {
			found = append(found, expectations[i])
		}
	}
	return found
}
