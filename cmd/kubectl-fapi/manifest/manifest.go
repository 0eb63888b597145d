// Package manifest reads files of Kubernetes manifests as kubectl does, keeps
// where each field stands, and tells of fields that are stated twice, of which
// kubectl drops all but the last.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// Document is one object of a file.
type Document struct {
	File string
	// Line is where the object starts.
	Line int
	// Object is what kubectl sends; nil with Err.
	Object map[string]any
	// Repeated are the paths of fields that are stated more than once.
	Repeated []string
	// Err says why there is no object.
	Err error

	root   *yaml.Node // nil where positions are not known
	offset int        // lines before those that root counts
}

// Read gives every object of a file, the items of lists one by one.
func Read(file string, content []byte) []Document {
	var documents []Document
	for _, chunk := range split(content) {
		document, found := parse(chunk)
		if !found {
			continue
		}
		for _, object := range flatten(document) {
			object.File = file
			documents = append(documents, object)
		}
	}
	return documents
}

// chunk is the text between two separators.
type chunk struct {
	text []byte
	line int // of the first byte
	err  error
}

const separator = "---"

// split cuts where kubectl cuts: at lines that begin with three hyphens.
func split(content []byte) []chunk {
	chunks := []chunk{{line: 1}}
	line := 0
	for text := range bytes.Lines(content) {
		line++
		if rest, isSeparator := bytes.CutPrefix(text, []byte(separator)); isSeparator {
			chunks = append(chunks, chunk{line: line + 1, err: judgeSeparator(rest)})
			continue
		}
		last := &chunks[len(chunks)-1]
		last.text = append(last.text, text...)
	}
	return chunks
}

func judgeSeparator(rest []byte) error {
	rest = bytes.TrimSpace(rest)
	if len(rest) == 0 || rest[0] == '#' {
		return nil
	}
	return errors.New("kubectl takes nothing but a comment behind ---; begin the document on the next line")
}

// parse finds nothing in a chunk of comments.
func parse(chunk chunk) (document Document, found bool) {
	if chunk.err != nil {
		return Document{Line: chunk.line - 1, Err: chunk.err}, true
	}
	isJSON := json.Valid(chunk.text)
	root, err := positions(chunk.text)
	switch {
	case isJSON:
	case err != nil:
		return broken(chunk.line, err), true
	case root == nil:
		return Document{}, false
	}
	document = Document{Line: chunk.line, root: root, offset: chunk.line - 1}
	if root != nil {
		document.Line = document.offset + root.Line
		document.Repeated = repeated(root)
	}
	if root == nil && !hasUniqueMembers(chunk.text) {
		return Document{Line: chunk.line, Err: errors.New("this JSON states a member more than once; kubectl drops all but the last")}, true
	}
	document.Object, document.Err = object(chunk.text, isJSON)
	return document, true
}

// positions is nil for a text of comments alone.
func positions(text []byte) (*yaml.Node, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, err
	}
	if node.Kind != yaml.DocumentNode || len(node.Content) != 1 {
		return nil, nil
	}
	if root := node.Content[0]; root.Tag != "!!null" || root.Value != "" {
		return root, nil
	}
	return nil, nil
}

// hasUniqueMembers looks at JSON that is no YAML, such as with a surrogate pair.
func hasUniqueMembers(text []byte) bool {
	_, err := jsontext.NewDecoder(bytes.NewReader(text)).ReadValue()
	return !errors.Is(err, jsontext.ErrDuplicateName)
}

// broken takes the line out of the parser's words, which count from the last separator.
func broken(first int, err error) Document {
	reason := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if _, scanErr := fmt.Sscanf(reason, "line %d:", &line); scanErr == nil {
		_, reason, _ = strings.Cut(reason, ": ")
	}
	return Document{Line: first + line - 1, Err: fmt.Errorf("this is no YAML: %s", reason)}
}

func object(text []byte, isJSON bool) (map[string]any, error) {
	if !isJSON {
		var err error
		if text, err = sigsyaml.YAMLToJSON(text); err != nil {
			return nil, fmt.Errorf("this is no YAML that kubectl reads: %w", err)
		}
	}
	var object map[string]any
	if err := utiljson.Unmarshal(text, &object); err != nil || object == nil {
		return nil, errors.New("this is no object: write a mapping with apiVersion and kind")
	}
	return object, nil
}

// flatten takes a list apart, as kubectl does.
func flatten(document Document) []Document {
	items, isList := document.Object["items"].([]any)
	kind, _ := document.Object["kind"].(string)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []Document{document}
	}
	var documents []Document
	if _, node := member(document.root, "items"); node == nil || len(node.Content) != len(items) {
		document.root = nil // what an alias or a merge brings has no position of its own
	}
	for i, item := range items {
		documents = append(documents, document.item(i, item))
	}
	for _, path := range document.Repeated {
		if !strings.HasPrefix(path, "items[") {
			documents = append(documents, Document{Line: document.LineOf(path), Err: fmt.Errorf("the list states %s more than once; kubectl drops all but the last", path)})
		}
	}
	return documents
}

func (d Document) item(i int, value any) Document {
	item := Document{Line: d.Line, offset: d.offset}
	if d.root != nil {
		_, items := member(d.root, "items")
		item.root = items.Content[i]
		item.Line = d.offset + item.root.Line
		item.Repeated = repeated(item.root)
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		item.Err = errors.New("this item of the list is no object")
		return item
	}
	item.Object = object
	return item
}
