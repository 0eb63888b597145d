// Package version says which build a program is.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Line is what a program's --version prints: its name, the version and revision
// that the go command stamped into it, and Go's version.
func Line(program string) string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return describe(program, build)
}

// describe says "unknown" of what a build outside of a checkout does not know.
func describe(program string, build *debug.BuildInfo) string {
	settings := make(map[string]string, len(build.Settings))
	for _, setting := range build.Settings {
		settings[setting.Key] = setting.Value
	}
	revision := cmp.Or(settings["vcs.revision"], "unknown")
	if settings["vcs.modified"] == "true" {
		revision += " with changes"
	}
	return fmt.Sprintf("%s %s, revision %s, %s %s/%s", program, cmp.Or(build.Main.Version, "unknown"), revision,
		cmp.Or(build.GoVersion, "unknown"), settings["GOOS"], settings["GOARCH"])
}
