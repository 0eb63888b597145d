// Package version says which build a program is.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
)

// Line is what a program's --version prints: its name, the version and revision
// that the go command stamped into it, and Go's version.
func Line(program string) string { return describe(program, build()) }

// Number is the version that the go command stamped into the program: a tag, or
// a pseudo-version with the revision in it.
func Number() string { return number(build()) }

func build() *debug.BuildInfo {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	return build
}

// number is "unknown" for a build outside of a checkout.
func number(build *debug.BuildInfo) string { return cmp.Or(build.Main.Version, "unknown") }

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
	return fmt.Sprintf("%s %s, revision %s, %s %s/%s", program, number(build), revision,
		cmp.Or(build.GoVersion, "unknown"), settings["GOOS"], settings["GOARCH"])
}
