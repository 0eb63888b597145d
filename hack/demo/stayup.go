package main

import (
	"bufio"
	"context"
	"errors"
	"os"
)

// stayUp tells what can be done now, and waits for Ctrl-C or the end of a program.
func (d *demo) stayUp(ctx context.Context) error {
	d.tellCommands()
	lines := readLines()
	for {
		select {
		case <-ctx.Done():
			d.account.print("\nStopping; %s keeps everything for the next run.\n", d.folder)
			if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		case _, open := <-lines:
			if !open {
				lines = nil // No terminal: there is only Ctrl-C to wait for.
				continue
			}
			if err := d.tellLoginURL(ctx); err != nil {
				d.account.print("%v\n", err)
			}
		}
	}
}

// readLines delivers each Enter, and is closed at the end of the input.
func readLines() <-chan struct{} {
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			lines <- struct{}{}
		}
	}()
	return lines
}

func (d *demo) tellCommands() {
	d.account.print(`
It stays up until Ctrl-C. In another terminal, in %[1]s:

  export KUBECONFIG=%[2]s
  alias kubectl=%[3]s
  kubectl get fapiapplications -n %[4]s
  kubectl describe fapiapplication -n %[4]s %[5]s
  kubectl explain fapiapplication.spec
  kubectl apply -n %[4]s -f config/samples/broken.yaml
  curl --cacert %[6]s %[7]s/.well-known/openid-configuration

Press Enter for a login page's address (user %[8]s, password %[9]s).
Logs: %[10]s
`, d.repository, d.folder.kubeconfig("admin"), d.tools.Path("kubectl"), samplesNamespace, sampleNames[0],
		d.folder.caFile(), issuer, d.person.Username, d.person.Password, d.folder.logs())
	if d.givenKubeconfig != "" {
		d.account.print("Afterwards, while this still runs, clean up the cluster:\n  kubectl delete -k config/samples && kubectl delete -k %s\n", d.folder.installation())
	}
}

// tellLoginURL pushes a request, so that a person can answer it in a browser.
func (d *demo) tellLoginURL(ctx context.Context) error {
	client, err := d.openClient(ctx, d.applications[0])
	if err != nil {
		return err
	}
	defer client.Close()
	authorization := client.NewAuthorization()
	pushed, err := client.Push(ctx, authorization)
	if err != nil {
		return err
	}
	address, err := client.AuthorizationURL(ctx, authorization)
	if err != nil {
		return err
	}
	d.account.print("\n  %s\n  Open it within %d s. The browser asks whether to trust the demo's authority (%s);\n  in the end it is sent to %s, where nobody is, with the code in its address.\n",
		address, pushed.ExpiresIn, d.folder.caFile(), authorization.RedirectURI)
	return nil
}
