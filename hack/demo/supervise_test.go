package main

import (
	"context"
	"errors"
	"io"
	"testing"
)

func TestAStepIsRepeatedWhenAProgramWasStartedAgain(t *testing.T) {
	t.Parallel()
	d := &demo{account: newAccount(io.Discard)}
	attempts := 0
	err := d.overRestarts(func(context.Context) error {
		if attempts++; attempts > 1 {
			return nil
		}
		d.restarts.begin()
		d.restarts.end()
		return errors.New("connection refused")
	})(t.Context())
	if err != nil || attempts != 2 {
		t.Errorf("%d attempts, %v", attempts, err)
	}
}

func TestAStepThatDoesNotHoldByItselfEndsTheDemo(t *testing.T) {
	t.Parallel()
	d := &demo{account: newAccount(io.Discard)}
	attempts, wrong := 0, errors.New("the token is not bound")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.overRestarts(func(context.Context) error { attempts++; return wrong })(ctx)
	if !errors.Is(err, wrong) || attempts != 1 {
		t.Errorf("%d attempts, %v", attempts, err)
	}
}
