package config

import (
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Path is the setting (listeners.public.address), or "line 12" where the
	// text could not be decoded.
	Path string
	// Wrong says what is wrong, Write what to write instead.
	Wrong string
	Write string
}

func (p Problem) String() string { return p.Path + ": " + p.Wrong + "; " + p.Write }

// Error is everything that is wrong with a configuration.
type Error struct {
	Problems []Problem
}

// Error lists the problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		lines[i] = "\n  " + problem.String()
	}
	return "the configuration is refused:" + strings.Join(lines, "")
}

// report collects problems in the order of the settings.
type report struct{ problems []Problem }

func (r *report) add(path, wrong, write string) {
	r.problems = append(r.problems, Problem{path, wrong, write})
}

// unless adds a problem when what must hold does not.
func (r *report) unless(holds bool, path, wrong, write string) {
	if !holds {
		r.add(path, wrong, write)
	}
}

func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{r.problems}
}
