package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// runner runs plans.
type runner struct {
	suite   *suite
	server  *server
	modules []string
	logs    string
	report  *report
}

const (
	// modulePatience is how long a module may take, as in the suite's own runner.
	modulePatience = 240 * time.Second
	// cancelPatience bounds the giving up of a module.
	cancelPatience = 10 * time.Second
)

// runAll runs the plans, some of them at the same time. It fails when the suite
// or the server does not work; what the modules find is in the report.
func (r *runner) runAll(ctx context.Context, plans []plan, parallel int) error {
	running, ctx := errgroup.WithContext(ctx)
	running.SetLimit(max(parallel, 1))
	for _, plan := range plans {
		running.Go(func() error { return r.runPlan(ctx, plan) })
	}
	return running.Wait()
}

// runPlan runs the modules of a plan one after another, as an alias demands.
func (r *runner) runPlan(ctx context.Context, plan plan) error {
	if err := r.server.register(ctx, plan, r.suite.baseURL(plan)); err != nil {
		return err
	}
	configuration, err := r.server.configuration(plan, r.suite.alias(plan))
	if err != nil {
		return err
	}
	planID, modules, err := r.suite.createPlan(ctx, plan, configuration)
	if err != nil {
		return err
	}
	for _, module := range modules {
		if !r.chosen(module) {
			continue
		}
		outcome, err := r.runModule(ctx, plan, planID, module)
		if err != nil {
			return fmt.Errorf("plan %s: %w", plan.Name, errors.Join(err, r.server.alive()))
		}
		r.report.add(outcome)
		if err := r.server.alive(); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) chosen(module suiteModule) bool {
	return len(r.modules) == 0 || matchesAny(r.modules, shortName(module))
}

func shortName(module suiteModule) string { return strings.TrimPrefix(module.TestModule, modulePrefix) }

func (r *runner) runModule(ctx context.Context, plan plan, planID string, module suiteModule) (outcome, error) {
	began := time.Now()
	id, base, err := r.suite.startModule(ctx, planID, module)
	if err != nil {
		return outcome{}, err
	}
	if base != r.suite.baseURL(plan) {
		return outcome{}, fmt.Errorf("the suite calls itself %s, where clients of %s are registered: give its own address as SUITE", base, r.suite.baseURL(plan))
	}
	ended, err := r.suite.awaitEnd(ctx, id, modulePatience)
	if err != nil || !ended {
		r.giveUp(ctx, id)
	}
	if err != nil {
		return outcome{}, err
	}
	found, err := r.readOutcome(ctx, plan, module, id, ended)
	found.Took = time.Since(began)
	return found, err
}

// giveUp cancels a module, also when ctx has ended, so that its alias is free.
func (r *runner) giveUp(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelPatience)
	defer cancel()
	if err := r.suite.cancel(ctx, id); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
}

func (r *runner) readOutcome(ctx context.Context, plan plan, module suiteModule, id string, ended bool) (outcome, error) {
	info, err := r.suite.info(ctx, id)
	if err != nil {
		return outcome{}, err
	}
	log, err := r.suite.log(ctx, id)
	if err != nil {
		return outcome{}, err
	}
	found := outcome{Plan: plan.Name, Module: shortName(module), Result: info.Result, LogURL: r.suite.logURL(id)}
	switch {
	case !ended:
		found.Result = resultUnfinished
	case info.Status != stateFinished:
		found.Result = info.Status
	}
	if found.Findings, err = readFindings(log); err != nil {
		return outcome{}, fmt.Errorf("read the log of module %s: %w", id, err)
	}
	return found, r.keepLog(found, log)
}

// keepLog writes the module's log where the caller wants logs.
func (r *runner) keepLog(o outcome, log json.RawMessage) error {
	if r.logs == "" {
		return nil
	}
	folder := filepath.Join(r.logs, o.Plan)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the logs' folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, o.Module+".json"), log, 0o644); err != nil {
		return fmt.Errorf("write a log: %w", err)
	}
	return nil
}
