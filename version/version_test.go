package version

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestLineTellsWhatTheGoCommandStamped(t *testing.T) {
	t.Parallel()
	build := debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abc"},
			{Key: "vcs.modified", Value: "false"},
			{Key: "GOOS", Value: "linux"},
			{Key: "GOARCH", Value: "arm64"},
		},
	}
	if got, want := describe("operator", &build), "operator v1.2.3, revision 0123abc, go1.26.8 linux/arm64"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	build.Settings[1].Value = "true"
	if got, want := describe("operator", &build), "revision 0123abc with changes,"; !strings.Contains(got, want) {
		t.Errorf("got %q, want it to say %q", got, want)
	}
}

func TestABuildOutsideOfACheckoutHasNoKnownNumber(t *testing.T) {
	t.Parallel()
	if got := number(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}); got != "v1.2.3" {
		t.Errorf("got %q", got)
	}
	if got := number(&debug.BuildInfo{}); got != "unknown" {
		t.Errorf("got %q", got)
	}
}

func TestLineOfThisBuildNamesItsGo(t *testing.T) {
	t.Parallel()
	if got := Line("authserver"); !strings.HasPrefix(got, "authserver ") || !strings.Contains(got, runtime.Version()) {
		t.Errorf("got %q", got)
	}
}
