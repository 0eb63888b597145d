package terminal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

func TestTextStaysTextOnOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Größe 5 €":         "Größe 5 €",
		"\x1b[31mred":       "\uFFFD[31mred",
		"two\nlines":        "two\uFFFDlines",
		"back\u202Ewards":   "back\uFFFDwards",
		"a\x00b\x7f\u0085c": "a\uFFFDb\uFFFD\uFFFDc",
	} {
		if got := terminal.Printable(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 5, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"one  two\nthree", 20, []string{"one two three"}},
		{"äöüßäöüß", 4, []string{"äöüß", "äöüß"}},
		{"a 123456789 b", 4, []string{"a", "1234", "5678", "9 b"}},
	} {
		if diff := cmp.Diff(test.want, terminal.Wrap(test.text, test.width)); diff != "" {
			t.Errorf("%q in %d (-want +got):\n%s", test.text, test.width, diff)
		}
	}
}
