// Command conformance runs the OpenID Foundation's conformance suite, which
// somebody has started, against the authorization server. README.md tells how.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// settings are what the caller chooses.
type settings struct {
	suiteURL   string
	suiteToken string
	suiteNote  string
	plans      []string
	modules    []string
	results    string
	logs       string
	host       string
	listen     string
	nonces     string
	parallel   int
}

// readSettings reads the flags; the environment gives their defaults, so that
// make's variables arrive.
func readSettings() settings {
	var s settings
	plans := flag.String("plans", os.Getenv("PLANS"), "plans to run, comma-separated names or patterns such as sp-*-dpop-*; all when empty")
	modules := flag.String("modules", os.Getenv("MODULES"), "modules to run, comma-separated names or patterns without their common prefix; all when empty")
	flag.StringVar(&s.suiteURL, "suite", os.Getenv("SUITE"), "the running suite: https://host:port, as it calls itself")
	flag.StringVar(&s.suiteToken, "suite-token", os.Getenv("SUITE_TOKEN"), "the suite's API token; a suite in development mode needs none")
	flag.StringVar(&s.suiteNote, "suite-note", os.Getenv("SUITE_NOTE"), "what the table of results says of the suite beside its version")
	flag.StringVar(&s.results, "results", os.Getenv("RESULTS"), "file to write the table of results to, in Markdown")
	flag.StringVar(&s.logs, "logs", os.Getenv("LOGS"), "folder to write each module's log to, in JSON")
	flag.StringVar(&s.host, "host", environment("SERVER_HOST", "localhost"), "host name at which the suite reaches this machine")
	flag.StringVar(&s.listen, "listen", environment("SERVER_LISTEN", "127.0.0.1"), "IP address at which the server listens")
	flag.StringVar(&s.nonces, "dpop-nonces", environment("DPOP_NONCES", "off"), "whether the server demands DPoP nonces: off or required")
	flag.IntVar(&s.parallel, "parallel", environmentNumber("PARALLEL", 1), "plans that run at the same time")
	flag.Parse()
	s.plans, s.modules = split(*plans), split(*modules)
	return s
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func environmentNumber(name string, otherwise int) int {
	if number, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return number
	}
	return otherwise
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(ctx context.Context) error {
	settings := readSettings()
	plans, err := loadPlans()
	if err != nil {
		return err
	}
	expectations, err := loadExpectations()
	if err != nil {
		return err
	}
	chosen, err := choosePlans(plans, settings.plans)
	if err != nil {
		return err
	}
	suite, err := openSuite(ctx, settings.suiteURL, settings.suiteToken)
	if err != nil {
		return err
	}
	commit, err := ourCommit(ctx)
	if err != nil {
		return err
	}
	server, err := startServer(ctx, settings)
	if err != nil {
		return err
	}
	defer server.stop()
	report := newReport(os.Stdout, expectations)
	runner := &runner{suite: suite, server: server, modules: settings.modules, logs: settings.logs, report: report}
	if err := runner.runAll(ctx, chosen, settings.parallel); err != nil {
		return err
	}
	if settings.results != "" {
		if err := report.writeResults(settings, suite.version, commit, plans); err != nil {
			return err
		}
	}
	return report.conclude(len(settings.plans)+len(settings.modules) == 0)
}
