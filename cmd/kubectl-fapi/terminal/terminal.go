// Package terminal writes what others wrote so that it stays text.
package terminal

import (
	"strings"
	"unicode"
)

// Printable replaces what a terminal would act upon, such as an escape sequence,
// and what would begin another line.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
