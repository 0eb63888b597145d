// Package oauth holds the protocol's words: parameters, error codes and their
// HTTP statuses, the confirmation of sender-constrained tokens, and a secret
// that cannot be printed. It imports nothing of ours.
package oauth
