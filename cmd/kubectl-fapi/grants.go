package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/administration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// grantsOptions are the flags of grants.
type grantsOptions struct {
	administratorOptions
	filter  administration.Filter
	output  string
	streams genericiooptions.IOStreams
}

func newGrants(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &grantsOptions{administratorOptions: administratorOptions{flags: flags}, streams: streams}
	command := &cobra.Command{
		Use:   "grants",
		Short: "List the grants in force at the authorization server",
		Example: `  kubectl fapi grants --client retail.budget --credentials-secret fapi-system/administrator
  kubectl fapi grants --authserver https://localhost:8445 --cert tls.crt --key tls.key --ca ca.crt -o json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command.Flags())
	command.Flags().StringVar(&options.filter.Subject, "subject", "", "only grants of the person with this subject (sub)")
	command.Flags().StringVar(&options.filter.ClientID, "client", "", "only grants to the client with this client_id")
	command.Flags().StringVarP(&options.output, "output", "o", "text", "text, or json for programs")
	return command
}

func (o *grantsOptions) run(ctx context.Context) error {
	if o.output != "text" && o.output != "json" {
		return errors.New("--output is text or json")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	grants, err := server.Grants(ctx, o.filter)
	if err != nil {
		return err
	}
	if o.output == "json" {
		encoder := json.NewEncoder(o.streams.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(grants)
	}
	return writeGrants(o.streams, grants)
}

// writeGrants writes identifiers in full, since they are there to be copied.
func writeGrants(streams genericiooptions.IOStreams, grants []administration.Grant) error {
	if len(grants) == 0 {
		tell(streams, "no grant is in force")
		return nil
	}
	table := tabwriter.NewWriter(streams.Out, 0, 0, 2, ' ', 0)
	rows := []string{"GRANT\tCLIENT\tSUBJECT\tSCOPE\tDETAILS\tGRANTED\tENDS"}
	for _, grant := range grants {
		cells := []string{
			grant.ID, grant.ClientID, grant.Subject, grant.Scope, detailTypes(grant), grant.CreatedAt.UTC().Format(time.RFC3339), grant.ExpiresAt.UTC().Format(time.RFC3339),
		}
		for i := range cells {
			cells[i] = terminal.Printable(cells[i])
		}
		rows = append(rows, strings.Join(cells, "\t"))
	}
	if _, err := fmt.Fprintln(table, strings.Join(rows, "\n")); err != nil {
		return err
	}
	return table.Flush()
}

// detailTypes names the types of the authorization details.
func detailTypes(grant administration.Grant) string {
	return cmp.Or(strings.Join(typesOf(grant.AuthorizationDetails), ","), "-")
}
