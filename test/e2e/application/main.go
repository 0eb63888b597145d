// Command application is a FAPI client as a bank's pod would be one: it mounts the
// Secrets that the operator makes, and does whole flows. With --flows it does so
// many, tells as one line of JSON what became of them, and ends; without, it goes
// on until it is stopped, and tells whoever asks --report-address.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "application:", err)
		os.Exit(1)
	}
}

// run does the flows that the arguments describe. Flows that failed are an error
// only after the report.
func run(ctx context.Context, arguments []string, output io.Writer) error {
	settings, err := parseFlags(arguments)
	if err != nil {
		return err
	}
	load := newLoad(settings)
	if settings.reportAddress != "" {
		stopReports, err := load.report(settings.reportAddress)
		if err != nil {
			return err
		}
		defer stopReports()
	}
	account, err := load.work(ctx)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(output).Encode(account); err != nil {
		return err
	}
	if account.Failed > 0 {
		return fmt.Errorf("%d of %d flows failed", account.Failed, account.Flows)
	}
	if account.Flows == 0 {
		return errors.New("no flow was done")
	}
	return nil
}

// settings are the program's flags.
type settings struct {
	issuer       string
	caFile       string
	clientID     string
	redirectURI  string
	scope        string
	authMethod   string
	keyFile      string
	certificates string
	dpop         bool
	signed       bool
	username     string
	passwordFile string
	flows        int
	callers      int
	// reportAddress is where whoever asks is told how it goes.
	reportAddress string
}

func parseFlags(arguments []string) (settings, error) {
	var s settings
	set := flag.NewFlagSet("application", flag.ContinueOnError)
	set.StringVar(&s.issuer, "issuer", "", "issuer identifier of the authorization server")
	set.StringVar(&s.caFile, "ca-file", "", "PEM file of the CAs that issue the server's certificates")
	set.StringVar(&s.clientID, "client-id", "", "the client's identifier")
	set.StringVar(&s.redirectURI, "redirect-uri", "", "the client's registered redirect URI")
	set.StringVar(&s.scope, "scope", "openid accounts", "what is asked for")
	set.StringVar(&s.authMethod, "auth-method", "private_key_jwt", "the client's token_endpoint_auth_method")
	set.StringVar(&s.keyFile, "key-file", "", "private JWK of the client, if it signs")
	set.StringVar(&s.certificates, "certificate-directory", "", "folder with the client's tls.crt and tls.key, if it has a certificate; read again for each flow")
	set.BoolVar(&s.dpop, "dpop", false, "bind access tokens to a DPoP key")
	set.BoolVar(&s.signed, "signed", false, "sign requests, and ask for signed responses")
	set.StringVar(&s.username, "username", "", "the person who logs in")
	set.StringVar(&s.passwordFile, "password-file", "", "the person's password")
	set.IntVar(&s.flows, "flows", 0, "how many flows each caller does; 0 for as long as the program runs")
	set.IntVar(&s.callers, "callers", 1, "how many flows are done at a time")
	set.StringVar(&s.reportAddress, "report-address", "", "where to tell, over HTTP, how it goes: host:port")
	return s, set.Parse(arguments)
}
