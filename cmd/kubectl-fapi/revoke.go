package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/administration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// revokeOptions are the flags of revoke.
type revokeOptions struct {
	administratorOptions
	subject, client, grant string
	yes                    bool
	streams                genericiooptions.IOStreams
}

func newRevoke(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &revokeOptions{administratorOptions: administratorOptions{flags: flags}, streams: streams}
	command := &cobra.Command{
		Use:   "revoke --subject SUB | --client CLIENT_ID | --grant GRANT_ID",
		Short: "End grants: one, all of a client's, or all of a person's with their logins",
		Long: `End grants at the authorization server: refresh tokens and access tokens that hang
on them are refused from the answer on. It asks before, unless --yes is given.
The person may log in again and the client may ask again: spec.suspended stops a
client for good.`,
		Example: `  kubectl fapi revoke --client retail.budget --credentials-secret fapi-system/administrator`,
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command.Flags())
	command.Flags().StringVar(&options.subject, "subject", "", "end every grant of the person with this subject (sub), and log the person out")
	command.Flags().StringVar(&options.client, "client", "", "end every grant to the client with this client_id")
	command.Flags().StringVar(&options.grant, "grant", "", "end the grant with this identifier")
	command.Flags().BoolVar(&options.yes, "yes", false, "do not ask")
	command.MarkFlagsMutuallyExclusive("subject", "client", "grant")
	command.MarkFlagsOneRequired("subject", "client", "grant")
	return command
}

func (o *revokeOptions) run(ctx context.Context) error {
	what, end, err := o.deed()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	if !o.yes && !confirms(o.streams, what) {
		return errors.New("nothing was ended")
	}
	ended, err := end(ctx, server)
	if err != nil {
		return fmt.Errorf("%w; some may have ended: repeat it", err)
	}
	_, err = fmt.Fprintf(o.streams.Out, "%d grants, %d logins and %d open consent pages have ended\n", ended.Grants, ended.Sessions, ended.Interactions)
	return err
}

// deed is what the flags ask for, in words and as a call.
func (o *revokeOptions) deed() (string, func(context.Context, *administration.Client) (administration.Ended, error), error) {
	switch {
	case o.grant != "":
		return "end the grant " + o.grant, func(ctx context.Context, c *administration.Client) (administration.Ended, error) {
			return c.EndGrant(ctx, o.grant)
		}, nil
	case o.client != "":
		return "end every grant to the client " + o.client, func(ctx context.Context, c *administration.Client) (administration.Ended, error) {
			return c.EndClient(ctx, o.client)
		}, nil
	case o.subject != "":
		return "end every grant of the person " + o.subject + ", and log the person out", func(ctx context.Context, c *administration.Client) (administration.Ended, error) {
			return c.EndSubject(ctx, o.subject)
		}, nil
	}
	return "", nil, errors.New("--subject, --client or --grant is empty")
}

// confirms asks on the standard error, so that the command's output stays apart.
func confirms(streams genericiooptions.IOStreams, what string) bool {
	_, _ = fmt.Fprintf(streams.ErrOut, "This is going to %s. Type yes to go on: ", terminal.Printable(what))
	answer, _ := bufio.NewReader(streams.In).ReadString('\n') // without an answer, it is no
	return strings.TrimSpace(answer) == "yes"
}
