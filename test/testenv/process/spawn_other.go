//go:build !linux

package process

import "syscall"

// tieToParent can't tie a child's life to its parent's outside Linux: there a
// killed parent leaves its children running.
func tieToParent(child *syscall.SysProcAttr) {
	child.Setpgid = true
}
