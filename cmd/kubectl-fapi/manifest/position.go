package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// LineOf is the line on which a field stands, such as
// spec.redirectURIs[0]; that of the closest group around a field that is not there.
func (d Document) LineOf(path string) int {
	line, node := d.Line, d.root
	for _, name := range steps(path) {
		if node != nil && node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		key, value := child(node, name)
		if value == nil {
			break
		}
		line, node = d.offset+key.Line, value
	}
	return line
}

// steps takes a path apart: names, and what stands in brackets.
func steps(path string) []string {
	return strings.FieldsFunc(path, func() func(rune) bool {
		bracketed := false
		return func(r rune) bool {
			switch r {
			case '[', ']':
				bracketed = r == '['
				return true
			}
			return r == '.' && !bracketed
		}
	}())
}

// child is a member of a mapping or an item of a sequence, and the node whose
// line is the field's own.
func child(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node == nil || node.Kind != yaml.SequenceNode {
		return member(node, name)
	}
	index, err := strconv.Atoi(name)
	if err != nil || index < 0 || index >= len(node.Content) {
		return nil, nil
	}
	return node.Content[index], node.Content[index]
}

// member is the last one of its name, which is the one that counts.
func member(node *yaml.Node, name string) (key, value *yaml.Node) {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := len(node.Content) - 2; i >= 0; i -= 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// repeated are the paths of the fields that a mapping states more than once,
// each once. What an anchor names is looked at where it stands, so that aliases
// cost nothing.
func repeated(root *yaml.Node) []string {
	var paths []string
	var visit func(*yaml.Node, string)
	visit = func(node *yaml.Node, path string) {
		switch node.Kind {
		case yaml.SequenceNode:
			for i, item := range node.Content {
				visit(item, path+"["+strconv.Itoa(i)+"]")
			}
		case yaml.MappingNode:
			times := map[string]int{}
			for i := 0; i+1 < len(node.Content); i += 2 {
				name := node.Content[i].Value
				field := strings.TrimPrefix(path+"."+name, ".")
				if times[name]++; times[name] == 2 && name != mergeKey {
					paths = append(paths, field)
				}
				visit(node.Content[i+1], field)
			}
		}
	}
	visit(root, "")
	return paths
}

// mergeKey takes in the members of other mappings (YAML 1.1, merge keys).
const mergeKey = "<<"
