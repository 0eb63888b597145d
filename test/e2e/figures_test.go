//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// figures are what the steps measured, in the order in which they came to their end.
var figures table

type table struct {
	mu      sync.Mutex
	rows    [][2]string
	missing [][2]string
}

// note records a figure.
func (f *table) note(t *testing.T, format string, arguments ...any) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, [2]string{t.Name(), fmt.Sprintf(format, arguments...)})
	t.Logf(format, arguments...)
}

// notRun ends a test for which the cluster lacks something, and records what: the
// last lines tell it.
func (f *table) notRun(t *testing.T, format string, arguments ...any) {
	t.Helper()
	f.mu.Lock()
	f.missing = append(f.missing, [2]string{t.Name(), fmt.Sprintf(format, arguments...)})
	f.mu.Unlock()
	t.Skipf(format, arguments...)
}

func (f *table) print(output io.Writer) {
	writer := tabwriter.NewWriter(output, 0, 0, 2, ' ', 0)
	for _, row := range f.rows {
		_, _ = fmt.Fprintf(writer, "%s\t%s\n", row[0], row[1])
	}
	for _, row := range f.missing {
		_, _ = fmt.Fprintf(writer, "%s\tDID NOT RUN: %s\n", row[0], row[1])
	}
	_ = writer.Flush() // To standard output, as all else that a test says.
}

// timed does something and tells how long it took.
func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began).Round(100 * time.Millisecond)
}
