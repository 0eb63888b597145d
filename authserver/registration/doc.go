// Package registration is the contract between whoever registers a client and
// the server that keeps it: client metadata (RFC 7591 and its extensions), the
// record that the private listener answers with, and the refusal that names
// every rule a client breaks.
package registration
