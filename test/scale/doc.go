// Package scale has the real operator keep as many applications as
// SCALE_APPLICATIONS says, at a real API server and a real authorization server, and
// measures what that costs. `make test` takes a few hundred, and shows that the order
// and the writes are right; `make test-scale` takes 10,000, with a table.
package scale
