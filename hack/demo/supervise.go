package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/test/testenv/process"
)

const (
	// maxRestarts of one program; beyond it something is wrong that starting
	// again does not mend.
	maxRestarts = 10
	// noticeTime is how long after a failed action the end of a program may be
	// noticed that was its reason.
	noticeTime = time.Second
)

// supervised is a program that is started again when it ends by itself, as
// Kubernetes does with a container.
type supervised struct {
	command   func() *exec.Cmd
	logFile   string
	readyPort int

	mutex   sync.Mutex
	current *process.Process
}

// supervise runs a program until the demo ends, and returns when it is ready.
func (d *demo) supervise(ctx context.Context, command func() *exec.Cmd, readyPort int) error {
	if err := os.MkdirAll(d.folder.logs(), 0o700); err != nil {
		return fmt.Errorf("make the logs' folder: %w", err)
	}
	program := &supervised{
		command: command, readyPort: readyPort,
		logFile: filepath.Join(d.folder.logs(), filepath.Base(command().Path)+".log"),
	}
	d.programs = append(d.programs, program)
	if err := program.start(ctx); err != nil {
		return err
	}
	go d.keepRunning(ctx, program)
	return nil
}

// start starts the program and returns when it is ready.
func (s *supervised) start(ctx context.Context) error {
	started, err := process.Start(s.command(), s.logFile)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	s.current = started
	s.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, programPatience)
	defer cancel()
	return started.AwaitReady(ctx, func(ctx context.Context) error { return askReady(ctx, s.readyPort) })
}

func (s *supervised) running() *process.Process {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.current
}

// keepRunning starts the program again whenever it ends before the demo does.
func (d *demo) keepRunning(ctx context.Context, program *supervised) {
	for range maxRestarts {
		select {
		case <-ctx.Done():
			return
		case <-program.running().Done():
		}
		if ctx.Err() != nil {
			return
		}
		reason, _, _ := strings.Cut(program.running().Failure().Error(), ";") // The rest is the log's end.
		d.account.line("%s; starting it again", reason)
		d.restarts.begin()
		err := program.start(ctx)
		d.restarts.end()
		if err != nil {
			d.fail(err)
			return
		}
	}
	d.fail(fmt.Errorf("%s ended %d times; its log is %s", program.command().Path, maxRestarts, program.logFile))
}

// overRestarts repeats a step that did not hold because a program was started
// again meanwhile: every step can be repeated, and converges.
func (d *demo) overRestarts(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			seen := d.restarts.count()
			err := do(ctx)
			if err == nil || !d.restarts.since(ctx, seen) {
				return err
			}
			d.account.line("once more, since a program was started again: %v", err)
		}
	}
}

// restarts counts how often programs were started again, and knows whether one is starting.
type restarts struct {
	mutex    sync.Mutex
	begun    int
	starting sync.WaitGroup
}

func (r *restarts) begin() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.begun++
	r.starting.Add(1)
}

func (r *restarts) end() { r.starting.Done() }

func (r *restarts) count() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.begun
}

// since tells whether a program was started again after seen, and returns when it is ready.
func (r *restarts) since(ctx context.Context, seen int) bool {
	notice, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	for r.count() == seen {
		select {
		case <-notice.Done():
			return false
		case <-time.After(10 * time.Millisecond): // An outside process ends when it ends.
		}
	}
	r.starting.Wait()
	return !errors.Is(ctx.Err(), context.Canceled)
}
