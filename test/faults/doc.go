// Package faults kills the real authorization server (SIGKILL) in the middle of a
// load of whole flows, over and over, and looks for what must never happen: a code
// redeemed twice, or something lost that had been acknowledged. `make test` kills a
// few times, `make test-faults` hundreds of times, with a table.
package faults
