package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// account tells people what happens.
type account struct {
	out   io.Writer
	began time.Time
}

func newAccount(out io.Writer) *account { return &account{out: out, began: time.Now()} }

// step tells how long a step took, and whether it held.
func (a *account) step(number int, title string, do func() error) error {
	began := time.Now()
	a.print("\n%d. %s\n", number, title)
	err := do()
	outcome := "held"
	if err != nil {
		outcome = "did NOT hold"
	}
	a.print("%9s  %s\n", rounded(time.Since(began)), outcome)
	return err
}

// timed tells what came of an action, with its time before it.
func (a *account) timed(do func() (string, error)) error {
	began := time.Now()
	told, err := do()
	if err != nil {
		return err
	}
	a.print("%9s  %s\n", rounded(time.Since(began)), told)
	return nil
}

// line tells something that took no time.
func (a *account) line(format string, arguments ...any) {
	a.print("           %s\n", fmt.Sprintf(format, arguments...))
}

// quote shows another program's words.
func (a *account) quote(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		a.print("           | %s\n", strings.TrimRight(line, " \n"))
	}
}

func (a *account) end() {
	a.print("\nEvery step held, in %s.\n", rounded(time.Since(a.began)))
}

// print drops errors: there is nobody to tell when the terminal is gone.
func (a *account) print(format string, arguments ...any) {
	_, _ = fmt.Fprintf(a.out, format, arguments...)
}

func rounded(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}
