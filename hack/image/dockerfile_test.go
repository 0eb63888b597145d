package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// stagesOf parses the Dockerfile as BuildKit does.
func stagesOf(t *testing.T) (map[string]instructions.Stage, []instructions.ArgCommand) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(checkout, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	stages, arguments, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]instructions.Stage, len(stages))
	for _, stage := range stages {
		named[stage.Name] = stage
	}
	return named, arguments
}

// finalStage is what a program's stage says: its configuration, and the stage
// and folder of which it copies all.
type finalStage struct {
	config        v1.Config
	stage, folder string
}

// readFinal refuses whatever would make the image another one in a way that is
// not compared.
func readFinal(t *testing.T, stage instructions.Stage) finalStage {
	t.Helper()
	if stage.BaseName != "scratch" {
		t.Fatalf("stage %s begins with %q, want scratch", stage.Name, stage.BaseName)
	}
	read := finalStage{config: v1.Config{Labels: make(map[string]string)}}
	for _, command := range stage.Commands {
		switch command := command.(type) {
		case *instructions.ArgCommand:
		case *instructions.LabelCommand:
			for _, label := range command.Labels {
				read.config.Labels[label.Key] = strings.Trim(label.Value, `"`)
			}
		case *instructions.CopyCommand:
			if read.stage != "" || len(command.SourcePaths) != 1 || command.DestPath != "/" || command.Chmod != "" || command.Chown != "" {
				t.Fatalf("stage %s: %s; want one folder copied to /, once, as it is", stage.Name, command)
			}
			read.stage, read.folder = command.From, command.SourcePaths[0]
		case *instructions.WorkdirCommand:
			read.config.WorkingDir = command.Path
		case *instructions.UserCommand:
			read.config.User = command.User
		case *instructions.EntrypointCommand:
			if command.PrependShell {
				t.Fatalf("stage %s runs its program in a shell", stage.Name)
			}
			read.config.Entrypoint = command.CmdLine
		default:
			t.Fatalf("stage %s: %s is not compared with what pack makes", stage.Name, command.Name())
		}
	}
	return read
}

// What the Dockerfile copies is made here as its own RUN line says, but in another
// checkout: so the images are the same whoever makes them, and wherever.
func TestDockerfileMakesTheSameImages(t *testing.T) {
	stages, _ := stagesOf(t)
	other := filepath.Join(t.TempDir(), "elsewhere")
	if err := copyCheckout(t.Context(), checkout, other); err != nil {
		t.Fatal(err)
	}
	for _, archive := range archives {
		t.Run(archive.program.name, func(t *testing.T) {
			final := readFinal(t, stages[archive.program.name])
			want := archive.program.config(build{version: "$VERSION", revision: "$REVISION"})
			if difference := cmp.Diff(want, final.config); difference != "" {
				t.Errorf("pack's configuration (-) is not the Dockerfile's (+):\n%s", difference)
			}
			root := filepath.Join(runStage(t, stages[final.stage], other), final.folder)
			requireSameImage(t, archive, root)
		})
	}
}

// runStage runs the stage's command in a checkout. It returns the folder that
// takes the place of / for what the command makes.
func runStage(t *testing.T, stage instructions.Stage, checkout string) string {
	t.Helper()
	root := t.TempDir()
	line := runLine(t, stage)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, " /rootfs/", " "+root+"/rootfs/"))
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "TARGETARCH="+runtime.GOARCH)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, output)
	}
	return root
}

// runLine is the only command that the stage runs.
func runLine(t *testing.T, stage instructions.Stage) string {
	t.Helper()
	var lines []string
	for _, command := range stage.Commands {
		if run, ok := command.(*instructions.RunCommand); ok {
			lines = append(lines, strings.Join(run.CmdLine, " "))
		}
	}
	if len(lines) != 1 {
		t.Fatalf("stage %q runs %q, want one command", stage.Name, lines)
	}
	return lines[0]
}

// requireSameImage compares what the Dockerfile copies with what pack wrote for
// this machine's architecture.
func requireSameImage(t *testing.T, archive packed, root string) {
	t.Helper()
	b, err := readBuild(filepath.Join(root, archive.program.name))
	if err != nil {
		t.Fatal(err)
	}
	image, err := newImage(archive.program, b, runtime.GOARCH, root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := layerFiles(image)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(listing(archive.native(t).files), listing(files)); difference != "" {
		t.Errorf("pack's files (-) are not the Dockerfile's (+):\n%s", difference)
	}
	if got, want := digestOf(t, image), digestOf(t, archive.native(t).image); got != want {
		t.Errorf("a second build gave %s, the first %s", got, want)
	}
}

// listing shows of each file what must be the same.
func listing(files map[string]file) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		entry := files[name]
		lines = append(lines, fmt.Sprintf("%s %d:%d %s %x %s", entry.FileInfo().Mode(), entry.Uid, entry.Gid, entry.ModTime.UTC(), entry.digest, name))
	}
	return lines
}

func digestOf(t *testing.T, image v1.Image) v1.Hash {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// Only the same Go makes the same program.
func TestDockerfileTakesTheGoThatTheProjectNames(t *testing.T) {
	var module struct{ Toolchain string }
	output, err := exec.CommandContext(t.Context(), "go", "-C", checkout, "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, &module); err != nil {
		t.Fatal(err)
	}
	version, ok := strings.CutPrefix(module.Toolchain, "go")
	_, arguments := stagesOf(t)
	if !ok || len(arguments) != 1 || arguments[0].Args[0].Key != "GO" || !strings.HasPrefix(arguments[0].Args[0].ValueString(), "golang:"+version+"-") {
		t.Errorf("go.mod names toolchain %q, the Dockerfile %v", module.Toolchain, arguments)
	}
}
