// Package interop is a second judge: certified FAPI client libraries, which know
// nothing of this project, do the whole flow against the authorization server.
package interop
