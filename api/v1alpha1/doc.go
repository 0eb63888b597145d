// Package v1alpha1 holds FAPIApplication, the resource that declares a client of a FAPI 2.0 authorization server, and
// FAPIServer, which tells what that server is and serves.
//
// The schema of FAPIApplication checks types, sizes, this project's own vocabulary and immutability, and nothing on which FAPI has an
// opinion: schema and CEL run before validating admission, so an enum there would hide the rule book's answer.
//
// +kubebuilder:object:generate=true
// +groupName=fapi-operator.io
package v1alpha1
