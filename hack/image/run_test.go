package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The program starts with nothing but its image, as a user who may change none of it.
func TestProgramRunsInItsImage(t *testing.T) {
	revision, _ := head(t)
	for _, archive := range archives {
		built := archive.native(t)
		root := t.TempDir()
		if err := write(built.files, root); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), built.config.Config.Entrypoint[0], "--version")
		cmd.Dir = built.config.Config.WorkingDir
		cmd.Env = []string{}
		cmd.SysProcAttr = asImageUser(root)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		for _, want := range []string{archive.program.name, revision, runtime.Version()} {
			if !strings.Contains(string(output), want) {
				t.Errorf("--version says %q, without %s", output, want)
			}
		}
	}
}

// asImageUser changes the root directory, which whoever is not root may do only
// in a user namespace of their own.
func asImageUser(root string) *syscall.SysProcAttr {
	const id = 65532
	attributes := &syscall.SysProcAttr{Chroot: root}
	if os.Getuid() == 0 {
		attributes.Credential = &syscall.Credential{Uid: id, Gid: id}
		return attributes
	}
	attributes.Cloneflags = syscall.CLONE_NEWUSER
	attributes.UidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Getuid(), Size: 1}}
	attributes.GidMappings = []syscall.SysProcIDMap{{ContainerID: id, HostID: os.Getgid(), Size: 1}}
	return attributes
}
