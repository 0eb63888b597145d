// Package listen makes the sockets of the authorization server: TLS as FAPI 2.0
// demands it, certificates that are read again when their files change, and
// HTTP servers with bounds on what a stranger may cost.
package listen
