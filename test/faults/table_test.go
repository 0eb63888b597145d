package faults

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// row is what one test did and found.
type row struct {
	what     string
	kills    int
	restarts []time.Duration
	ledger   *ledger
}

// rows are the table that stands at the end.
type rows struct {
	mu   sync.Mutex
	rows []row
}

var table rows

func (r *rows) add(row row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row)
}

// print writes the table, and one line that sums it up.
func (r *rows) print(output io.Writer) {
	if len(r.rows) == 0 {
		return
	}
	writer := tabwriter.NewWriter(output, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(writer, "store and servers\tkills\tflows\tanswers\tcut off\tchecks\tlost\ttwice\trestart, median\tlongest\t")
	var kills, flows, lost, twice int
	for _, row := range r.rows {
		l := row.ledger
		_, _ = fmt.Fprintf(writer, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", row.what, row.kills, l.flows, l.operations, l.unanswered, l.checks,
			len(l.lost), len(l.doubled), row.median(), slices.Max(row.restarts).Round(time.Millisecond))
		kills, flows, lost, twice = kills+row.kills, flows+l.flows, lost+len(l.lost), twice+len(l.doubled)
	}
	_ = writer.Flush() // To standard output, as all else that a test says.
	_, _ = fmt.Fprintf(output, "faults: %d kills, %d flows, %d lost, %d twice\n", kills, flows, lost, twice)
}

// median is that of the restarts' times.
func (r row) median() time.Duration {
	sorted := slices.Sorted(slices.Values(r.restarts))
	return sorted[len(sorted)/2].Round(time.Millisecond)
}
