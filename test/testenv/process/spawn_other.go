//go:build !linux

package process

import "syscall"

// childAttributes can't tie a child's life to its parent's outside Linux: there
// a killed parent leaves its children running.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
