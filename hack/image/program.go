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

// application is no program that ships: pods of the end-to-end tests run it.
var application = program{"application", "./test/e2e/application", "A FAPI client, for end-to-end tests"}

func programOf(name string) (program, error) {
	for _, p := range append(programs, application) {
		if p.name == name {
			return p, nil
		}
	}
	return program{}, fmt.Errorf("no program is called %q: there are operator, authserver and, for end-to-end tests, application", name)
}

// programsOf are the named programs; without names those that ship.
func programsOf(names []string) ([]program, error) {
	if len(names) == 0 {
		return programs, nil
	}
	named := make([]program, len(names))
	for i, name := range names {
		var err error
		if named[i], err = programOf(name); err != nil {
			return nil, err
		}
	}
	return named, nil
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
