package controlplane_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// processesIn finds the running programs whose working directory lies in dir:
// program to process id.
func processesIn(t *testing.T, dir string) map[string]int {
	t.Helper()
	found := map[string]int{}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(cwd, dir+"/") {
			continue // ended meanwhile, or another's
		}
		process := filepath.Dir(link)
		pid, err := strconv.Atoi(filepath.Base(process))
		if err != nil {
			t.Fatal(err)
		}
		if program, err := os.Readlink(filepath.Join(process, "exe")); err == nil {
			found[filepath.Base(program)] = pid
		}
	}
	return found
}

// programsIn returns the sorted names of processesIn.
func programsIn(t *testing.T, dir string) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(processesIn(t, dir)))
}

// awaitNoProgramIn waits until the kernel has ended every process in dir.
func awaitNoProgramIn(t *testing.T, dir string) {
	t.Helper()
	const patience = 10 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if len(processesIn(t, dir)) == 0 {
			return
		}
	}
	t.Errorf("still running after %s: %v", patience, programsIn(t, dir))
}
