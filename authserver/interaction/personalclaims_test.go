package interaction

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What is advertised can be written into the users' file, and the other way round.
func TestEveryPersonalClaimHasAName(t *testing.T) {
	t.Parallel()
	var members []string
	for field := range reflect.TypeFor[Claims]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Tag.Get("yaml") != name {
			t.Errorf("%s is %q in the users' file", name, field.Tag.Get("yaml"))
		}
		members = append(members, name)
	}
	names := ClaimNames()
	slices.Sort(members)
	slices.Sort(names)
	if !slices.Equal(members, names) {
		t.Errorf("the users' file holds %v, the server knows %v", members, names)
	}
}
