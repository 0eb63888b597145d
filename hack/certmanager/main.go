// Command cert-manager runs cert-manager's own controllers, CA injector and
// admission webhook in one process against the cluster of a kubeconfig, for
// tests and demonstrations.
//
// cert-manager publishes its packages but not its commands as Go modules, so
// this is a small main over those packages. Left out: leader election,
// metrics, ACME, Vault, Venafi, CertificateSigningRequests and the Ingress and
// Gateway shims.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// settings are the program's flags.
type settings struct {
	kubeconfig  string
	namespace   string
	webhookPort int
}

func main() {
	err := run(os.Args[1:])
	logf.FlushLogs()
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

// run runs the parts until one of them fails, or SIGINT or SIGTERM arrives.
func run(args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	ctrl.SetLogger(klog.Background())
	ctx, stop := signal.NotifyContext(logf.NewContext(context.Background(), logf.Log), os.Interrupt, syscall.SIGTERM)
	defer stop()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return runControllers(ctx, s) })
	group.Go(func() error { return runManager(ctx, s) })
	return group.Wait()
}

func parse(args []string) (settings, error) {
	var s settings
	flags := pflag.NewFlagSet("cert-manager", pflag.ContinueOnError)
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "path of the kubeconfig (required)")
	flags.StringVar(&s.namespace, "namespace", "cert-manager", "existing namespace for the Secrets of ClusterIssuers and of the webhook's CA")
	flags.IntVar(&s.webhookPort, "webhook-port", 0, "port on 127.0.0.1 where the admission webhook listens (required)")
	logging := logsapi.NewLoggingConfiguration()
	logging.Verbosity = logf.InfoLevel
	logf.AddFlagsNonDeprecated(logging, flags)
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if s.kubeconfig == "" || s.webhookPort == 0 {
		return s, errors.New("--kubeconfig and --webhook-port are required")
	}
	logf.InitLogs()
	return s, logf.ValidateAndApply(logging)
}
