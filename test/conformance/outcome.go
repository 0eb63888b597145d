package main

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// outcome is what came of one module in one plan.
type outcome struct {
	Plan   string
	Module string
	// Result is the suite's, or why there is none.
	Result   string
	Took     time.Duration
	Findings []finding
	LogURL   string
}

// resultUnfinished stands for a module that took longer than modulePatience.
const resultUnfinished = "UNFINISHED"

// finding is a warning, a failure or the reason of a skip in a module's log.
type finding struct {
	// Condition is the class name of the suite's check.
	Condition    string
	Result       string
	Message      string
	Requirements []string
}

// findingResults are the results of log entries that a reader wants to see; a
// module with a FAILURE has FAILED.
var findingResults = []string{resultWarning, "FAILURE", resultSkipped}

// readFindings picks the findings of a module's log.
func readFindings(log json.RawMessage) ([]finding, error) {
	var entries []struct {
		Source       string   `json:"src"`
		Result       string   `json:"result"`
		Message      string   `json:"msg"`
		Requirements []string `json:"requirements"`
	}
	if err := json.Unmarshal(log, &entries); err != nil {
		return nil, err
	}
	var found []finding
	for _, entry := range entries {
		if slices.Contains(findingResults, entry.Result) {
			found = append(found, finding{entry.Source, entry.Result, entry.Message, entry.Requirements})
		}
	}
	return found, nil
}

func (f finding) String() string {
	text := f.Result + " " + f.Condition + ": " + f.Message
	if len(f.Requirements) > 0 {
		text += " (" + strings.Join(f.Requirements, ", ") + ")"
	}
	return text
}
