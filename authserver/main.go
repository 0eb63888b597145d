// Command authserver is the FAPI 2.0 authorization server. It knows nothing of
// Kubernetes: it reads a file, a database and its own sockets.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/server"
	"github.com/fapi-operator/fapi-operator/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "authserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) > 0 && commands[arguments[0]] != nil {
		return commands[arguments[0]](ctx, arguments[1:], os.Stdin, os.Stdout)
	}
	flags, err := config.ParseFlags(arguments, os.Stderr)
	if err != nil {
		return err
	}
	if flags.Version {
		return tell(os.Stdout, "%s", version.Line("authserver"))
	}
	settings, err := config.Load(flags.File)
	if err != nil {
		return err
	}
	log := settings.Log.Logger(os.Stderr)
	if flags.CheckOnly {
		return server.Check(settings, time.Now, log)
	}
	running, err := server.New(ctx, settings, time.Now, log)
	if err != nil {
		return err
	}
	return running.Run(ctx)
}
