package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")

// docs/lessons.md names a test for each lesson; here are all that there are.
func TestEveryLessonHasItsTests(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	there := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if path == filepath.Join(root, "bin") {
			return filepath.SkipDir // Another version may be there, to upgrade from.
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range declared.FindAllSubmatch(source, -1) {
			there[string(found[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lessons := 0
	for _, row := range strings.Split(string(readFile(t, root, "docs", "lessons.md")), "\n") {
		if !strings.HasPrefix(row, "| ") || strings.HasPrefix(row, "| ---") || strings.HasPrefix(row, "| seen") {
			continue
		}
		lessons++
		named := testName.FindAllStringSubmatch(row, -1)
		if len(named) == 0 {
			t.Errorf("a lesson without a test: %s", row)
		}
		for _, name := range named {
			if !there[name[1]] {
				t.Errorf("there is no test %s", name[1])
			}
		}
	}
	if lessons < 15 {
		t.Errorf("docs/lessons.md has %d lessons", lessons)
	}
}
