// Package endpoint is what the endpoints below it share: reading a request,
// finding out who calls, answering in JSON, refusing, and CORS. An endpoint's
// top function is a list of steps; these are the first and the last of them.
package endpoint
