package main

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// program is one of those that get an image.
type program struct {
	name        string // of the program, its file and its image
	folder      string // of its main package, below the checkout
	description string
}

var programs = []program{
	{"operator", ".", "Registers FAPIApplications at an authorization server, and refuses those that are not FAPI"},
	{"authserver", "./authserver", "FAPI 2.0 authorization server"},
}

func programOf(name string) (program, error) {
	for _, p := range programs {
		if p.name == name {
			return p, nil
		}
	}
	return program{}, fmt.Errorf("no program is called %q: there are operator and authserver", name)
}

// user is who the programs run as: nobody that a host knows. The group has the
// same number.
const user = "65532:65532"

// config is what an image says about running it. The Dockerfile says it too, and
// a test compares them.
func (p program) config(b build) v1.Config {
	return v1.Config{
		User:       user,
		Entrypoint: []string{"/" + p.name},
		WorkingDir: "/",
		// https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
		Labels: map[string]string{
			"org.opencontainers.image.title":       p.name,
			"org.opencontainers.image.description": p.description,
			"org.opencontainers.image.source":      "https://github.com/fapi-operator/fapi-operator",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     b.version,
			"org.opencontainers.image.revision":    b.revision,
		},
	}
}
