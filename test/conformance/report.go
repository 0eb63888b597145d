package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// report tells what comes of the modules, and remembers it.
type report struct {
	out          io.Writer
	expectations []expectation

	mu       sync.Mutex
	outcomes []outcome
	faults   int
}

func newReport(out io.Writer, expectations []expectation) *report {
	return &report{out: out, expectations: expectations}
}

// add prints an outcome as a row: plan, module, result, seconds.
func (r *report) add(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
	r.print("%-36s  %-80s  %-10s  %6.1f\n", o.Plan, o.Module, o.Result, o.Took.Seconds())
	wrong := judge(r.expectations, o)
	if wrong == nil {
		return
	}
	r.faults++
	r.print("    %v\n", wrong)
	for _, finding := range o.Findings {
		r.print("    | %s\n", finding)
	}
	r.print("    %s\n", o.LogURL)
}

// print drops errors: there is nobody to tell when the terminal is gone.
func (r *report) print(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.out, format, arguments...)
}

// conclude counts the results, and fails unless each was expected and, when
// nothing was left out of the run, each expectation was met.
func (r *report) conclude(everything bool) error {
	if len(r.outcomes) == 0 {
		return errors.New("no module was run: the names or patterns of MODULES match none")
	}
	r.print("\n%d modules: %s\n", len(r.outcomes), count(r.outcomes))
	if everything {
		for _, expectation := range stale(r.expectations, r.outcomes) {
			r.faults++
			r.print("expected.json: no module was about %s in %s, %s: remove the entry\n", expectation.Module, expectation.Plan, expectation.Result)
		}
	}
	if r.faults > 0 {
		return fmt.Errorf("%d results of %d modules are not as expected.json has them", r.faults, len(r.outcomes))
	}
	return nil
}

// count tells how often each result came, the best first.
func count(outcomes []outcome) string {
	counts := map[string]int{}
	for _, outcome := range outcomes {
		counts[outcome.Result]++
	}
	var parts []string
	for _, result := range []string{resultPassed, resultReview, resultWarning, resultSkipped, resultFailed, stateInterrupted, resultUnfinished} {
		if counts[result] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[result], result))
		}
	}
	return strings.Join(parts, ", ")
}

// writeResults writes the tables of results as a Markdown file.
func (r *report) writeResults(settings settings, suiteVersion, commit string, groups []group) error {
	text := r.results(heading{strings.TrimSuffix(suiteVersion+"; "+settings.suiteNote, "; "), commit, settings.nonces, time.Now()}, groups)
	if err := os.WriteFile(settings.results, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return nil
}

// ourCommit is the commit that is tested, marked when the work tree differs from
// it. It is asked for when the server is built: a run takes long.
func ourCommit(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "", fmt.Errorf("ask git for the commit: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// heading says what the results are of.
type heading struct {
	suite, commit, nonces string
	when                  time.Time
}

func (r *report) results(about heading, groups []group) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# Results of the OpenID Foundation's conformance suite\n\n")
	fmt.Fprintf(&text, "Written by a run; README.md tells how to have another one.\n\n")
	fmt.Fprintf(&text, "- Suite: %s\n- Server: commit %s; DPoP nonces %s\n- Date: %s\n- %d modules: %s\n", about.suite, about.commit, about.nonces, about.when.UTC().Format(time.DateOnly), len(r.outcomes), count(r.outcomes))
	fmt.Fprintf(&text, "\nModule names are without their prefix `%s`. An empty cell: the module is not part of the plan.\n", modulePrefix)
	for _, group := range groups {
		r.table(&text, group)
	}
	r.explanations(&text)
	return text.String()
}

// table has a row for each module and a column for each combination that was run.
func (r *report) table(text *strings.Builder, group group) {
	byPlan := map[string]map[string]string{}
	var modules []string
	for _, outcome := range r.outcomes {
		if !slices.Contains(names(group.Combinations), outcome.Plan) {
			continue
		}
		if byPlan[outcome.Plan] == nil {
			byPlan[outcome.Plan] = map[string]string{}
		}
		byPlan[outcome.Plan][outcome.Module] = outcome.Result
		if !slices.Contains(modules, outcome.Module) {
			modules = append(modules, outcome.Module)
		}
	}
	columns := slices.DeleteFunc(names(group.Combinations), func(name string) bool { return byPlan[name] == nil })
	if len(columns) == 0 {
		return
	}
	slices.Sort(modules)
	fmt.Fprintf(text, "\n## %s\n\n| module | %s |\n|---|%s\n", group.Title, strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, module := range modules {
		fmt.Fprintf(text, "| %s |", module)
		for _, column := range columns {
			fmt.Fprintf(text, " %s |", byPlan[column][module])
		}
		fmt.Fprintln(text)
	}
}

// explanations list why modules did not simply pass.
func (r *report) explanations(text *strings.Builder) {
	var lines []string
	for _, outcome := range r.outcomes {
		if outcome.Result == resultPassed {
			continue
		}
		lines = append(lines, fmt.Sprintf("- %s, %s: %s\n", outcome.Module, outcome.Result, cmp.Or(r.reason(outcome), "not expected")))
	}
	slices.Sort(lines)
	if lines = slices.Compact(lines); len(lines) > 0 {
		fmt.Fprintf(text, "\n## What did not simply pass\n\n%s", strings.Join(lines, ""))
	}
}

// reason is why an outcome is right; empty when it is not.
func (r *report) reason(o outcome) string {
	if judge(r.expectations, o) != nil {
		return ""
	}
	if expected := expectedOf(r.expectations, o.Plan, o.Module); expected != nil {
		return expected.Reason
	}
	return "the suite passed it, and kept a page of the server for a person to look at"
}
