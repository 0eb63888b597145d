package faults

import (
	"fmt"
	"sync"
)

// ledger counts what was done and answered, and keeps what was found wrong.
type ledger struct {
	// answers has an element for answers that nobody has looked at yet: the load
	// moves on. It never holds the load up.
	answers chan struct{}

	mu         sync.Mutex
	flows      int
	operations int
	unanswered int
	checks     int
	lost       []string
	doubled    []string
}

func newLedger() *ledger { return &ledger{answers: make(chan struct{}, 1)} }

// answered counts an operation that had an answer.
func (l *ledger) answered() {
	l.mu.Lock()
	l.operations++
	l.mu.Unlock()
	select {
	case l.answers <- struct{}{}:
	default:
	}
}

// cut counts an operation that had none.
func (l *ledger) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unanswered++
}

// granted counts a flow that came to its tokens.
func (l *ledger) granted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flows++
}

// checked counts a look at something that had been acknowledged.
func (l *ledger) checked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checks++
}

// lose records something that was acknowledged and is gone.
func (l *ledger) lose(what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf("%s: %v", what, err))
}

// double records something that succeeded twice.
func (l *ledger) double(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubled = append(l.doubled, what)
}
