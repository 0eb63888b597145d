package registration

import "slices"

// Installations are those that somebody may act for; the zero value is none.
type Installations struct {
	// Any is every installation, whatever is named.
	Any bool
	// Named are the installations, where not any.
	Named []string
}

// Include tells whether the installation is one of them.
func (i Installations) Include(installation string) bool {
	return i.Any || slices.Contains(i.Named, installation)
}
