package process

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Spawn starts a program that dies with this one, also when this one is killed,
// and that a terminal's Ctrl-C doesn't reach: this program ends it in order.
//
// What cmd.SysProcAttr says besides (as which user, say) holds.
//
// Linux sends a child its Pdeathsig when the thread that started it ends (see
// prctl(2), PR_SET_PDEATHSIG), so all start from one thread that never does.
func Spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	tieToParent(cmd.SysProcAttr)
	started := make(chan error, 1)
	spawner() <- func() { started <- cmd.Start() }
	return <-started
}

var spawner = sync.OnceValue(func() chan<- func() {
	requests := make(chan func())
	go func() {
		runtime.LockOSThread()
		for request := range requests {
			request()
		}
	}()
	return requests
})
