// Package process runs programs beside this one: they write logs, are waited for
// until they answer, and never outlive the program that started them.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// pollInterval is the time between two questions whether a program is ready.
	pollInterval = 50 * time.Millisecond

	// stopGrace is the time that a program has to end before it is killed.
	stopGrace = 5 * time.Second

	// logTail is how many bytes of a program's log its failure quotes.
	logTail = 2000
)

// Process is a running program.
type Process struct {
	name    string
	cmd     *exec.Cmd
	logFile string
	done    chan struct{} // closed when the program has ended
	err     error         // how it ended; may be read once done is closed
}

// Start runs a command with its output appended to logFile.
func Start(cmd *exec.Cmd, logFile string) (*Process, error) {
	name := filepath.Base(cmd.Path)
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	// A running program has its own copy of the log, so this one is closed.
	if err := errors.Join(Spawn(cmd), log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: cmd, logFile: logFile, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// AwaitReady asks ready until it returns no error, the program has ended, or
// ctx is done.
func (p *Process) AwaitReady(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := p.whileAlive(ctx)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	var lastAnswer error
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			lastAnswer = err
		}
		select {
		case <-ctx.Done():
			return p.notReady(context.Cause(ctx), lastAnswer)
		case <-ticker.C:
		}
	}
}

// whileAlive makes a context that also ends with the program, so that no
// question waits for the answer of a dead one.
func (p *Process) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// notReady describes a program that has ended, or not answered in time.
func (p *Process) notReady(cause, lastAnswer error) error {
	select {
	case <-p.done:
		return p.Failure()
	default:
		return fmt.Errorf("wait for %s: %w; its last answer: %w; the end of %s:\n%s", p.name, cause, lastAnswer, p.logFile, p.tail())
	}
}

// Failure describes a program that has ended by itself; call it once Done is closed.
func (p *Process) Failure() error {
	cause := p.err
	if cause == nil {
		cause = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended by itself: %w; the end of %s:\n%s", p.name, cause, p.logFile, p.tail())
}

func (p *Process) tail() []byte {
	log, err := os.ReadFile(p.logFile)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-logTail):])
}

// Stop ends the program and waits until it is gone.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *Process) signal(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return nil
}
