// Command demo runs the whole main job on this machine, with real programs only:
// a Kubernetes control plane with cert-manager, the operator with its webhook, and
// the authorization server. It prints an account of every step.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	once := flag.Bool("once", false, "end when every step has held, with exit status 0")
	webhookAddress := flag.String("webhook-address", "127.0.0.1", "IP address of this machine as the API server reaches it, for a cluster of your own (KUBECONFIG)")
	flag.Parse()
	// What matters stands in the account; the rest is in the programs' logs.
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *once, *webhookAddress)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type step struct {
	title string
	do    func(context.Context) error
}

// run ends when every step has held or one has not; without once, it stays up
// until ctx ends.
func run(ctx context.Context, once bool, webhookAddress string) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d, err := newDemo(fail, webhookAddress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	steps := []step{
		{"Build what is missing", d.build},
		{"Open the cluster", d.openCluster},
		{"Make certificates and keys", d.writeFiles},
		{"Install the custom resource, the operator's rights and the webhook", d.install},
		{"Start the authorization server and the operator", d.startPrograms},
		{"Apply the samples", d.overRestarts(d.applySamples)},
		{"Apply a manifest that is broken in five ways", d.overRestarts(d.applyBroken)},
		{"Wait until the samples' clients are registered", d.overRestarts(d.awaitReady)},
		{"Use each client: log in, get a token, and misuse it", d.overRestarts(d.useClients)},
	}
	for i, step := range steps {
		if err := d.account.step(i+1, step.title, func() error { return step.do(ctx) }); err != nil {
			return d.explain(ctx, err)
		}
	}
	d.account.end()
	if once {
		return nil
	}
	return d.stayUp(ctx)
}

// explain adds why the context ended: a program that died, say.
func (d *demo) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(err, cause)
	}
	return fmt.Errorf("a step did not hold: %w\nlogs: %s", err, d.folder.logs())
}
