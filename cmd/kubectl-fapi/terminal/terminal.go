// Package terminal writes what others wrote so that it stays text.
package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
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

// Width is how wide a line of text may be, in characters; our own choice.
const Width = 100

// Wrap breaks text at spaces into lines of at most width characters. What has no
// space is broken where the line ends.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		word = Printable(word)
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for utf8.RuneCountInString(line) > width {
			cut := []rune(line)
			lines = append(lines, string(cut[:width]))
			line = string(cut[width:])
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
