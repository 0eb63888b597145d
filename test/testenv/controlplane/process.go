package controlplane

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

// process is a running program.
type process struct {
	name    string
	cmd     *exec.Cmd
	logFile string
	done    chan struct{} // closed when the program has ended
	err     error         // how it ended; may be read once done is closed
}

// startProcess runs a program in folder dir, with its output appended to logFile.
func startProcess(program, dir, logFile string, args ...string) (*process, error) {
	name := filepath.Base(program)
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	// A running program has its own copy of the log, so this one is closed.
	if err := errors.Join(spawn(cmd), log.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, logFile: logFile, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// awaitReady asks ready until it returns no error, the program has ended, or
// ctx is done.
func (p *process) awaitReady(ctx context.Context, ready func(context.Context) error) error {
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
func (p *process) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
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
func (p *process) notReady(cause, lastAnswer error) error {
	select {
	case <-p.done:
		return p.failure()
	default:
		return fmt.Errorf("wait for %s: %w; its last answer: %w; the end of %s:\n%s", p.name, cause, lastAnswer, p.logFile, p.tail())
	}
}

// failure describes a program that has ended by itself.
func (p *process) failure() error {
	cause := p.err
	if cause == nil {
		cause = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended by itself: %w; the end of %s:\n%s", p.name, cause, p.logFile, p.tail())
}

func (p *process) tail() []byte {
	log, err := os.ReadFile(p.logFile)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-logTail):])
}

// stop ends the program and waits until it is gone.
func (p *process) stop() error {
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

func (p *process) signal(signal os.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return nil
}
