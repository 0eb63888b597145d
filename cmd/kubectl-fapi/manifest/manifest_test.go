package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
)

func read(t *testing.T, text string) []manifest.Document {
	t.Helper()
	return manifest.Read("file.yaml", []byte(text))
}

func TestDocumentsStartWhereTheyStand(t *testing.T) {
	t.Parallel()
	documents := read(t, `# a comment alone is no document
---
# the first
kind: A
--- # another
kind: B
spec:
  list:
  - one
  - two
---
---
`)
	lines := map[string]int{}
	for _, document := range documents {
		lines[document.Object["kind"].(string)] = document.Line
	}
	if diff := cmp.Diff(map[string]int{"A": 4, "B": 6}, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	for path, want := range map[string]int{"spec.list[1]": 10, "spec.list": 8, "spec.absent": 7, "other": 6, "spec.list[9]": 8} {
		if got := documents[1].LineOf(path); got != want {
			t.Errorf("%s stands on line %d, want %d", path, got, want)
		}
	}
}

func TestLabelWithDotsIsFound(t *testing.T) {
	t.Parallel()
	document := read(t, "metadata:\n  labels:\n    a.b/c: d\n")[0]
	if got := document.LineOf("metadata.labels[a.b/c]"); got != 3 {
		t.Errorf("line %d, want 3", got)
	}
}

func TestRepeatedFieldsAreNamedAndTheLastCounts(t *testing.T) {
	t.Parallel()
	document := read(t, "kind: A\nspec:\n  scopes: [a]\n  keys: {source: X, source: Y, source: Z}\n  scopes: [b]\n")[0]
	if diff := cmp.Diff([]string{"spec.keys.source", "spec.scopes"}, document.Repeated); diff != "" {
		t.Errorf("repeated (-want +got):\n%s", diff)
	}
	spec := document.Object["spec"].(map[string]any)
	if diff := cmp.Diff([]any{"b"}, spec["scopes"]); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	if got := document.LineOf("spec.scopes"); got != 5 {
		t.Errorf("scopes stand on line %d, want 5", got)
	}
}

func TestRepeatedMemberOfJSONIsNamed(t *testing.T) {
	t.Parallel()
	if got := read(t, `{"kind": "A", "spec": {"a": 1, "a": 2}}`)[0].Repeated; len(got) != 1 || got[0] != "spec.a" {
		t.Errorf("repeated %q", got)
	}
	// A surrogate pair makes JSON that YAML does not read.
	if got := read(t, `{"kind": "\ud83d\ude00", "a": 1, "a": 2}`)[0]; got.Err == nil {
		t.Errorf("read as %v", got.Object)
	}
}

// Whole numbers stay whole, and words stay what kubectl makes of them.
func TestValuesAreThoseThatKubectlSends(t *testing.T) {
	t.Parallel()
	want := map[string]any{"number": int64(1), "fraction": 1.5, "yes": "no", "flag": true, "smile": "😀"}
	for _, text := range []string{
		`{"number": 1, "fraction": 1.5, "yes": "no", "flag": true, "smile": "\ud83d\ude00"}`,
		"number: 1\nfraction: 1.5\n\"yes\": \"no\"\nflag: yes\nsmile: 😀\n",
	} {
		if diff := cmp.Diff(want, read(t, text)[0].Object); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestListsAreTakenApart(t *testing.T) {
	t.Parallel()
	documents := read(t, "kind: List\nitems:\n- kind: A\n  a: 1\n  a: 2\n- kind: B\n- text\n")
	if len(documents) != 3 {
		t.Fatalf("%d documents, want 3", len(documents))
	}
	if got := documents[1]; got.Object["kind"] != "B" || got.Line != 6 {
		t.Errorf("second item %v on line %d", got.Object, got.Line)
	}
	if diff := cmp.Diff([]string{"a"}, documents[0].Repeated); diff != "" {
		t.Errorf("repeated (-want +got):\n%s", diff)
	}
	if documents[2].Err == nil {
		t.Error("an item that is no object passes")
	}
	if last := read(t, "kind: List\nitems: [{kind: A}]\nitems: [{kind: B}]\n"); last[len(last)-1].Err == nil {
		t.Error("a list whose items are stated twice passes, and one of them is lost")
	}
	if got := read(t, "kind: List\nitems: []\n"); len(got) != 0 {
		t.Errorf("an empty list has %d documents", len(got))
	}
}

func TestWhatIsNoManifestSaysWhyAndWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"kind: A\n---\nkind: B\n  bad: indent\n": 4,
		"kind: A\n--- kind: B\n":                 2,
		"- a\n- b\n":                             1,
		"text":                                   1,
		"\tkind: A":                              1,
	} {
		documents := read(t, text)
		last := documents[len(documents)-1]
		if last.Err == nil || last.Line != want {
			t.Errorf("%q: error %v on line %d, want one on line %d", text, last.Err, last.Line, want)
		}
	}
}

func TestFoldersAreReadAsKubectlReadsThem(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.yaml", "b.yml", "c.json", "d.txt", "below/e.yaml"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(`{"kind": "`+name+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func(recursive bool, paths ...string) string {
		documents, err := manifest.Load(paths, recursive, strings.NewReader(`{"kind": "stdin"}`))
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, document := range documents {
			kinds = append(kinds, document.Object["kind"].(string))
		}
		return strings.Join(kinds, " ")
	}
	for _, test := range []struct{ got, want string }{
		{load(false, folder), "a.yaml b.yml c.json"},
		{load(true, folder), "a.yaml b.yml below/e.yaml c.json"},
		{load(false, filepath.Join(folder, "d.txt"), manifest.Stdin), "d.txt stdin"},
	} {
		if test.got != test.want {
			t.Errorf("read %q, want %q", test.got, test.want)
		}
	}
	if _, err := manifest.Load([]string{filepath.Join(folder, "absent")}, true, nil); err == nil {
		t.Error("a path that is not there passes")
	}
}

// Whatever the text, reading ends, and every document has a reason or an object
// on a line of the text.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"kind: A\n---\nkind: B", "{}", `{"a": 1, "a": 2}`, "a: &a [*a]", "a: &a {b: *a}\nc: *a", "? [a]\n: b", "<<: {a: b}\n<<: {a: c}",
		"kind: List\nitems: [a, {b: c}]", "kind: List\nitems: &i [{}]\nother: *i", "kind: List\n<<: {items: [{a: b}]}", "---\n...\n---", "\xef\xbb\xbfa: b",
		"a: !!binary x", "1: 2", "a: 1e999", "a: .nan", "--- x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := 2 // what ends a line for YAML ends one here
		for _, lineBreak := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(text, lineBreak)
		}
		for _, document := range manifest.Read("fuzz", []byte(text)) {
			if (document.Err == nil) == (document.Object == nil) {
				t.Errorf("error %v and object %v", document.Err, document.Object)
			}
			for _, path := range append(document.Repeated, "spec.redirectURIs[0]", "items[0].a") {
				if line := document.LineOf(path); line < 1 || line > lines {
					t.Errorf("%s stands on line %d of %d", path, line, lines)
				}
			}
		}
	})
}
