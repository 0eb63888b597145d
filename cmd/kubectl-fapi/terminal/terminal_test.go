package terminal_test

import (
	"testing"

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
