package lint

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// Check is what a finding comes from.
type Check string

// The checks, in the order in which they are asked.
const (
	CheckReading Check = "reading" // the text is no manifest
	CheckFields  Check = "fields"  // fields that would be dropped
	CheckSchema  Check = "schema"  // the custom resource definition
	CheckRule    Check = "rule"    // the rule book
	CheckAdvice  Check = "advice"  // what is allowed, but unwise
)

// Finding is one thing that is wrong, and where.
type Finding struct {
	File string `json:"file"`
	// Line is that of the field, or of the closest group around it.
	Line      int          `json:"line"`
	Namespace string       `json:"namespace,omitempty"`
	Name      string       `json:"name,omitempty"`
	Field     string       `json:"field,omitempty"`
	Check     Check        `json:"check"`
	Rule      oauth.RuleID `json:"rule,omitempty"`
	Clause    string       `json:"clause,omitempty"`
	// Demand is what is not as it has to be; Remedy what to write instead.
	Demand string `json:"demand"`
	Remedy string `json:"remedy,omitempty"`
}

// Report is the outcome for all documents.
type Report struct {
	// Judged counts FAPIApplications, Policies the FAPIPolicies that bounded them,
	// Skipped other documents.
	Judged   int       `json:"judged"`
	Policies int       `json:"policies"`
	Skipped  int       `json:"skipped"`
	Findings []Finding `json:"findings"`
	Warnings []Finding `json:"warnings"`
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteText writes a line for each finding, as compilers do, and a summary.
func (r Report) WriteText(out io.Writer) error {
	var lines strings.Builder
	for _, finding := range r.Findings {
		lines.WriteString(finding.line("") + "\n")
	}
	for _, warning := range r.Warnings {
		lines.WriteString(warning.line("warning: ") + "\n")
	}
	lines.WriteString(r.Summary() + "\n")
	_, err := io.WriteString(out, lines.String())
	return err
}

// Summary counts.
func (r Report) Summary() string {
	by := ""
	if r.Policies == 1 {
		by = " by 1 " + PolicyKind
	} else if r.Policies > 1 {
		by = fmt.Sprintf(" by %d FAPIPolicies", r.Policies)
	}
	return fmt.Sprintf("%s judged%s, %s skipped: %s, %s", count(r.Judged, Kind), by, count(r.Skipped, "other document"),
		count(len(r.Findings), "finding"), count(len(r.Warnings), "warning"))
}

func count(number int, noun string) string {
	if number != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", number, noun)
}

// line is file:line: namespace/name: field: demand (rule; clause); remedy.
func (f Finding) line(severity string) string {
	text := fmt.Sprintf("%s:%d: ", f.File, f.Line)
	if f.Name != "" {
		text += strings.TrimPrefix(f.Namespace+"/"+f.Name, "/") + ": "
	}
	if f.Field != "" {
		text += f.Field + ": "
	}
	text += severity + f.Demand
	if f.Rule != "" {
		text += fmt.Sprintf(" (%s; %s)", f.Rule, f.Clause)
	}
	if f.Remedy != "" {
		text += "; " + f.Remedy
	}
	return terminal.Printable(text)
}
