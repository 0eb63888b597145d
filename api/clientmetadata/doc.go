// Package clientmetadata translates a FAPIApplication into registered client
// metadata (RFC 7591), a metadata member back into the field that states it,
// and asks the rule book about both. Admission and the reconciler call it, so
// that they give the same verdict.
package clientmetadata
