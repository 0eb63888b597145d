package config

import (
	"io"
	"log/slog"
)

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Formats of the log: one JSON object a line, or text for people.
const (
	FormatJSON = "json"
	FormatText = "text"
)

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// Logger writes to output in the configured way.
func (l Log) Logger(output io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: levels[l.Level]}
	if l.Format == FormatText {
		return slog.New(slog.NewTextHandler(output, options))
	}
	return slog.New(slog.NewJSONHandler(output, options))
}
