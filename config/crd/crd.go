// Package crd holds the definitions that are installed in a cluster, for
// programs that judge manifests without one.
package crd

import "embed"

// Bases holds the CustomResourceDefinitions in YAML, in the folder bases.
//
//go:embed bases/*.yaml
var Bases embed.FS
