package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEveryModuleHasATest: each module of the suite and each row of its demands
// has a test that exists.
func TestEveryModuleHasATest(t *testing.T) {
	t.Parallel()
	modules := slices.Concat(slices.Collect(maps.Values(suiteModules))...)
	if count := 31 + 6 + 9 + 10 + 14; len(modules) != count {
		t.Errorf("%d modules are listed, and the suite has %d", len(modules), count)
	}
	for _, module := range modules {
		if len(moduleTests[module]) == 0 {
			t.Errorf("the module %s has no test", module)
		}
	}
	for module := range moduleTests {
		if !slices.Contains(modules, module) {
			t.Errorf("%s is no module of the suite", module)
		}
	}
	code := testCode{}
	for _, table := range []map[string][]string{moduleTests, rowTests} {
		for name, tests := range table {
			if len(tests) == 0 {
				t.Errorf("%s has no test", name)
			}
			for _, test := range tests {
				code.want(t, name, test)
			}
		}
	}
}

// testCode are the functions of directories' test files, by name.
type testCode map[string]map[string]*ast.FuncDecl

// want demands that the code has the test, and the element of a subtest's name.
func (c testCode) want(t *testing.T, name, test string) {
	t.Helper()
	directory, path, inAnother := strings.Cut(test, ":")
	if !inAnother {
		directory, path = "test/protocol", test
	}
	function, subtest, isSubtest := strings.Cut(path, "/")
	if c[directory] == nil {
		c[directory] = testFunctions(t, filepath.Join("..", "..", directory))
	}
	functions := c[directory]
	if functions[function] == nil || !strings.HasPrefix(function, "Test") {
		t.Errorf("%s: %s does not exist", name, test)
		return
	}
	if isSubtest && !slices.Contains(textsIn(functions, function), subtest) {
		t.Errorf("%s: the code of %s has no subtest %q", name, function, subtest)
	}
}

// testFunctions are those of one directory.
func testFunctions(t *testing.T, directory string) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests: %v", directory, err)
	}
	functions := map[string]*ast.FuncDecl{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if function, isFunction := declaration.(*ast.FuncDecl); isFunction {
				functions[function.Name.Name] = function
			}
		}
	}
	return functions
}

// textsIn are the string literals of a function and of the helpers that it calls,
// without the slash that joins one to the rest of a name.
func textsIn(functions map[string]*ast.FuncDecl, function string) []string {
	var texts []string
	seen := map[string]bool{}
	var read func(string)
	read = func(name string) {
		if functions[name] == nil || seen[name] {
			return
		}
		seen[name] = true
		ast.Inspect(functions[name].Body, func(node ast.Node) bool {
			switch found := node.(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(found.Value); err == nil {
					texts = append(texts, strings.Trim(text, "/"))
				}
			case *ast.Ident:
				read(found.Name)
			}
			return true
		})
	}
	read(function)
	return texts
}
