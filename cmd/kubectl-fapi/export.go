package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/export"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// exportOptions are the flags of export.
type exportOptions struct {
	from   string
	target export.Target

	cluster *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
}

func newExport(cluster *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &exportOptions{cluster: cluster, streams: streams}
	command := &cobra.Command{
		Use:   "export --from FORMAT FILE",
		Short: "Turn clients of Keycloak or Hydra into FAPIApplications",
		Long: `Turn the clients of a Keycloak realm's export, or of Ory Hydra, into FAPIApplications
on the standard output. What FAPI refuses of a client, with the rule, and every
member that could not be carried over is told on the standard error, and above
each manifest. No secret is written. FILE is - for the standard input.

Exit code 0: all was carried over. 1: something is refused or was not carried
over. 2: the file could not be read.`,
		Example: `  kubectl fapi export --from keycloak-realm realm-export.json -n retail > clients.yaml
  hydra get client budget --format json | kubectl fapi export --from hydra-client - -n retail`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, arguments []string) error { return options.run(arguments[0]) },
	}
	command.Flags().BoolVar(&options.target.KeepClientIDs, "keep-client-ids", false, "keep identifiers that do not begin with the namespace; a FAPIPolicy's foreignClientIDs has to allow them")
	command.Flags().StringVar(&options.from, "from", "", "format of the file: "+strings.Join(export.FormatNames(), " or "))
	return command
}

func (o *exportOptions) run(file string) error {
	read, known := export.Formats[o.from]
	if !known {
		return fmt.Errorf("--from is %s", strings.Join(export.FormatNames(), " or "))
	}
	var err error
	if o.target.Namespace, _, err = o.cluster.ToRawKubeConfigLoader().Namespace(); err != nil {
		return fmt.Errorf("find the namespace; state --namespace instead: %w", err)
	}
	content, err := o.readFile(file)
	if err != nil {
		return err
	}
	clients, err := read(content)
	if err != nil {
		return err
	}
	if len(clients.Clients)+len(clients.Skipped) == 0 {
		return errors.New("the file holds no client")
	}
	return o.write(clients)
}

func (o *exportOptions) readFile(file string) ([]byte, error) {
	if file == manifest.Stdin {
		return io.ReadAll(o.streams.In)
	}
	return os.ReadFile(file)
}

func (o *exportOptions) write(clients export.Clients) error {
	for _, skipped := range clients.Skipped {
		tell(o.streams, terminal.Printable("client "+skipped.Member+": skipped: "+skipped.Reason))
	}
	told := 0
	for _, application := range clients.Manifests(o.target) {
		if err := application.Write(o.streams.Out); err != nil {
			return err
		}
		for _, line := range application.Lines() {
			told++
			tell(o.streams, terminal.Printable("client "+application.Source)+": "+line)
		}
	}
	if told > 0 {
		return errFindings
	}
	return nil
}
