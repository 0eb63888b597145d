package fapitest

import (
	"sync"
	"time"
)

// Clock stands still until it is moved, or runs. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
	// since is the real time since when the clock runs; zero while it stands still.
	since time.Time
}

// NewClock makes a clock that shows now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return c.now
	}
	return c.now.Add(time.Since(c.since))
}

// Advance moves the clock.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// Run sets the clock to the real time and lets it run, for clients that have no
// other time.
func (c *Clock) Run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = time.Now()
	c.since = c.now
}
