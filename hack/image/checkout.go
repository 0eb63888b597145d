package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// stampable is a checkout in which the go command sees the commit: the given one,
// or a copy below work where that is a linked worktree of git, whose .git is a file
// (https://go.dev/issue/58218).
func stampable(ctx context.Context, checkout, work string) (string, error) {
	info, err := os.Stat(filepath.Join(checkout, ".git"))
	if err != nil {
		return "", fmt.Errorf("an image is made in a git checkout, so that the program can name its commit: %w", err)
	}
	if info.IsDir() {
		return checkout, nil
	}
	other := filepath.Join(work, "checkout")
	return other, copyCheckout(ctx, checkout, other)
}

// copyCheckout clones a checkout, and brings over what is not committed yet.
func copyCheckout(ctx context.Context, checkout, other string) error {
	if _, err := git(ctx, checkout, "clone", "--quiet", "--shared", ".", other); err != nil {
		return err
	}
	names, err := git(ctx, checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(names, "\x00"), "\x00") {
		if err := copyFile(filepath.Join(checkout, name), filepath.Join(other, name)); err != nil {
			return err
		}
	}
	return nil
}

// copyFile removes the target where the source is gone. It leaves the mode of a
// target that is there.
func copyFile(source, target string) error {
	content, err := os.ReadFile(source)
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(target)
	}
	if err != nil {
		return err
	}
	return writeFile(target, content)
}

// git runs a command of git in a checkout.
func git(ctx context.Context, checkout string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", arguments...)
	cmd.Dir, cmd.Stderr = checkout, os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(arguments, " "), err)
	}
	return string(output), nil
}
