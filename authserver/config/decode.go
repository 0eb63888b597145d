package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds the file, so that a wrong path is not read into memory.
const maxFileBytes = 1 << 20

// Parse decodes and validates the text of a configuration file. It reads no
// other file. A refusal is an *Error with every problem.
func Parse(text []byte) (Config, error) {
	config, err := decode(text)
	if err != nil {
		return Config{}, err
	}
	if err := config.validate(); err != nil {
		return Config{}, err
	}
	return config, nil
}

// decode reads exactly one YAML document over the defaults: unknown keys, keys
// written twice and values of another type are problems.
func decode(text []byte) (Config, error) {
	config := defaults()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return Config{}, undecodable(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, &Error{[]Problem{{"the file", "it holds more than one YAML document", "write all settings in one document, without a second \"---\""}}}
	}
	return config, nil
}

// undecodable words the decoder's complaints for somebody who does not read Go.
func undecodable(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{[]Problem{{"the file", "it is empty", "start from example.yaml"}}}
	}
	mismatch, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return &Error{[]Problem{{"the file", "it is not YAML: " + err.Error(), "correct the indentation or quoting there"}}}
	}
	var found report
	for _, complaint := range mismatch.Errors {
		found.problems = append(found.problems, reword(complaint))
	}
	return found.err()
}

// notA is the complaint about a value that a type of ours does not take.
func notA(node *yaml.Node, wanted string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal %s `%s` into %s", node.Line, node.ShortTag(), node.Value, wanted)}}
}

var (
	unknownKey = regexp.MustCompile(`^(line \d+): field (.+) not found in type \S+$`)
	repeated   = regexp.MustCompile(`^(line \d+): mapping key (".*") already defined at (line \d+)$`)
	wrongType  = regexp.MustCompile("(?s)^(line \\d+): cannot unmarshal !!(\\w+)(?: `.*`)? into (.+)$")
)

func reword(complaint string) Problem {
	if found := unknownKey.FindStringSubmatch(complaint); found != nil {
		return Problem{found[1], fmt.Sprintf("the key %q is unknown", found[2]), "remove it, or correct its spelling or indentation (keys are case-sensitive)"}
	}
	if found := repeated.FindStringSubmatch(complaint); found != nil {
		return Problem{found[1], fmt.Sprintf("the key %s is written twice, first at %s", found[2], found[3]), "keep one of them"}
	}
	if found := wrongType.FindStringSubmatch(complaint); found != nil {
		return Problem{found[1], "the value is of another type (YAML " + found[2] + ")", "write " + expected(found[3])}
	}
	return Problem{"the file", complaint, "compare with example.yaml"}
}

// expected names what a Go type is written as; a type that it does not know is
// the description that notA was given.
func expected(goType string) string {
	switch goType {
	case "int":
		return "a whole number"
	case "string":
		return "a text, in quotes if need be"
	case "time.Duration":
		return `a duration with its unit, such as "5m" or "12h"`
	case "[]string", "[]config.CIDR", "[]jose.SignatureAlgorithm":
		return "a list"
	case "map[string][]string":
		return "a mapping from names to lists"
	case "map[string]string", "map[string]config.Scope", "map[string]config.AuthorizationDetailsType":
		return "a mapping from names to values"
	}
	if len(goType) > 7 && goType[:7] == "config." {
		return "a mapping with the keys that example.yaml shows"
	}
	return goType
}
