package process

import "syscall"

func tieToParent(child *syscall.SysProcAttr) {
	child.Setpgid, child.Pdeathsig = true, syscall.SIGKILL
}
