// Command ruletable writes the rule book as a Markdown document, the path of
// which is its one argument.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

const preface = `# The rules

Generated from ` + "`authserver/fapi`" + ` by ` + "`go generate ./authserver/fapi`" + `; do not edit.

An identifier is what a refusal shows: in the webhook's message, in a status condition, in the server's log and metrics.
Identifiers are those of the OpenID Foundation's conformance suite where it has one for the clause; ` + "`LOCAL-`" + ` marks
our own policy, which adds to FAPI and never takes away from it.
`

const policyPreface = `
# The admission policy

The rules of client registration that the chart's ValidatingAdmissionPolicy holds to, where it is
[switched on](installation.md#admission-by-policy): wholly; in part, so that the webhook refuses more; or not at all, since CEL has no
words for it, the server's configuration decides, or no FAPIApplication can break it.

| rule | wholly at | in part at | not at |
| --- | --- | --- | --- |
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ruletable FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(document()), 0o644); err != nil {
		fmt.Fprintf(os.Stderr, "write the rule table: %v\n", err)
		os.Exit(1)
	}
}

// document is the whole text: a table for each moment, and the advice.
func document() string {
	var text strings.Builder
	text.WriteString(preface)
	rules := fapi.Rules()
	for _, moment := range moments(rules) {
		writeTable(&text, sentenceCase(moment), "Demand", slices.DeleteFunc(slices.Clone(rules),
			func(rule fapi.RuleText) bool { return rule.Moment != moment }))
	}
	text.WriteString("\n# Advice\n\nWhat is allowed at registration but unwise: admission warns of it and refuses nothing.\n")
	writeTable(&text, "Client registration: advice", "Warning", fapi.RegistrationAdvice())
	text.WriteString(policyPreface)
	writeCoverage(&text)
	return text.String()
}

// writeCoverage says of each rule of registration what conditions say of it.
func writeCoverage(text *strings.Builder) {
	rules := fapi.RegistrationRules()
	for len(rules) > 0 {
		rule := rules[0]
		same := func(other fapi.RuleText) bool { return other.ID == rule.ID }
		var cells [3][]string
		for _, other := range rules {
			if same(other) {
				cells[coverage(other)] = append(cells[coverage(other)], "`"+other.Member+"`")
			}
		}
		fmt.Fprintf(text, "| `%s` | %s | %s | %s |\n", rule.ID, strings.Join(cells[wholly], "<br>"), strings.Join(cells[inPart], "<br>"), strings.Join(cells[notAtAll], "<br>"))
		rules = slices.DeleteFunc(slices.Clone(rules), same)
	}
}

// How much of a rule a condition says: the columns of the table.
const (
	wholly = iota
	inPart
	notAtAll
)

func coverage(rule fapi.RuleText) int {
	for _, said := range fapi.ConditionalRules() {
		if said.RuleText == rule && said.IsAll {
			return wholly
		}
		if said.RuleText == rule {
			return inPart
		}
	}
	return notAtAll
}

// moments lists the moments in the order of their first rules.
func moments(rules []fapi.RuleText) []string {
	var moments []string
	for _, rule := range rules {
		if !slices.Contains(moments, rule.Moment) {
			moments = append(moments, rule.Moment)
		}
	}
	return moments
}

func sentenceCase(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func writeTable(text *strings.Builder, title, demand string, rules []fapi.RuleText) {
	fmt.Fprintf(text, "\n## %s\n\n| rule | clause | at | %s | what to do | error |\n| --- | --- | --- | --- | --- | --- |\n", title, strings.ToLower(demand))
	for len(rules) > 0 {
		rule := rules[0]
		same := func(other fapi.RuleText) bool { return other.ID == rule.ID && other.Demand == rule.Demand }
		writeRow(text, rule, membersOf(rules, same))
		rules = slices.DeleteFunc(slices.Clone(rules), same)
	}
}

func membersOf(rules []fapi.RuleText, same func(fapi.RuleText) bool) []string {
	var members []string
	for _, rule := range rules {
		if same(rule) {
			members = append(members, "`"+rule.Member+"`")
		}
	}
	return members
}

func writeRow(text *strings.Builder, rule fapi.RuleText, members []string) {
	cells := []string{"`" + string(rule.ID) + "`", rule.Clause, strings.Join(members, "<br>"), rule.Demand, rule.Remedy, "`" + string(rule.Code) + "`"}
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	text.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}
