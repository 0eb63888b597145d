// Command kubectl-fapi is a plug-in of kubectl, for people's own machines and
// for continuous integration: kubectl fapi judges manifests without a cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/version"
)

// Exit codes.
const (
	exitFindings = 1 // what was asked about is not as it should be
	exitError    = 2 // the question could not be answered
)

// errFindings ends a command whose findings have been written.
var errFindings = errors.New("there are findings")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := run(ctx, os.Args[1:], streams)
	stop()
	os.Exit(code)
}

// run is the program with its arguments; it gives the exit code.
func run(ctx context.Context, arguments []string, streams genericiooptions.IOStreams) int {
	command := newCommand(streams)
	command.SetArgs(arguments)
	err := command.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return exitFindings
	}
	tell(streams, "kubectl fapi: "+err.Error())
	return exitError
}

// tell writes a line to the person. Where nobody reads it, nothing is lost.
func tell(streams genericiooptions.IOStreams, line string) { _, _ = fmt.Fprintln(streams.ErrOut, line) }

func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	command := &cobra.Command{
		Use:           "kubectl-fapi",
		Short:         "Look after the FAPIApplications of a cluster, and judge manifests without one",
		Version:       version.Line("kubectl-fapi"),
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl fapi"},
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.SetVersionTemplate("{{.Version}}\n")
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	cluster := genericclioptions.NewConfigFlags(true)
	cluster.AddFlags(command.PersistentFlags())
	command.AddCommand(
		newLint(cluster, streams),
		newExport(cluster, streams),
		newDescribe(cluster, streams),
		newGrants(cluster, streams),
		newRevoke(cluster, streams),
		newRotateKey(cluster, streams),
		newRevokeKey(cluster, streams),
		newPlan(cluster, streams),
		newTest(cluster, streams),
	)
	return command
}
