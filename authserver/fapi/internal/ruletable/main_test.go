package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

func TestRuleTableIsCurrent(t *testing.T) {
	t.Parallel()
	kept, err := os.ReadFile("../../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), document()); diff != "" {
		t.Errorf("docs/rules.md is out of date: run go generate ./authserver/fapi (-kept +current):\n%s", diff)
	}
}

func TestRuleTableHoldsEveryRule(t *testing.T) {
	t.Parallel()
	text := document()
	for _, rule := range fapi.Rules() {
		if !strings.Contains(text, "`"+string(rule.ID)+"`") || !strings.Contains(text, "`"+rule.Member+"`") {
			t.Errorf("the table lacks %s at %s", rule.ID, rule.Member)
		}
	}
}
