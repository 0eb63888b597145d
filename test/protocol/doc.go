// Package protocol tests the authorization server as its clients see it: the
// real server over real TLS, module by module of the OpenID Foundation's
// conformance suite for FAPI 2.0, and beyond. Subtests bear the names of the
// suite's modules, without their common prefix.
package protocol
