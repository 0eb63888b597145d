package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/lint"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
)

// lintOptions are the flags of lint.
type lintOptions struct {
	files          []string
	recursive      bool
	output         string
	strictWarnings bool
	limits         fapi.Limits

	cluster *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
}

func newLint(cluster *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &lintOptions{cluster: cluster, streams: streams}
	command := &cobra.Command{
		Use:   "lint -f FILE",
		Short: "Judge FAPIApplications in files by schema and rule book, without a cluster",
		Long: `Judge FAPIApplications in files as they are judged when they are applied: by the
schema that kube-apiserver knows and by the rule book. No cluster is asked.
Everything that is wrong is written at once, with its file, line and field, the
rule and its clause, and what to write instead. Fields that are unknown or stated
twice are findings: they would be dropped before any rule is asked.

FAPIPolicies among the files bound the applications of the namespaces that they
name, as in a cluster. What stands outside of a manifest, such as keys in a Secret,
is taken for fit. What the server offers is judged where flags say what that is.

Exit code 0: all are fine. 1: there are findings. 2: nothing was judged.`,
		Example: `  kubectl fapi lint -f client.yaml
  kustomize build overlays/production | kubectl fapi lint -f -
  kubectl fapi lint -f policies.yaml -f manifests -R -o json --scopes accounts,payments`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command) },
	}
	options.addFlags(command.Flags())
	return command
}

func (o *lintOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "file or folder with manifests, or - for the standard input; may be repeated")
	flags.BoolVarP(&o.recursive, "recursive", "R", false, "read the folders below as well")
	flags.StringVarP(&o.output, "output", "o", "text", "text, or json for programs")
	flags.BoolVar(&o.strictWarnings, "strict-warnings", false, "fail on warnings too")
	flags.StringSliceVar(&o.limits.Scopes, "scopes", nil, "scope values that the server offers, beside openid and offline_access (default: all are)")
	flags.StringSliceVar(&o.limits.Resources, "resources", nil, "resources that the server issues access tokens for (default: all)")
	flags.StringSliceVar(&o.limits.AuthorizationDetailsTypes, "authorization-details-types", nil, "types of authorization_details that the server declares (default: all are)")
	flags.StringSliceVar(&o.limits.TrustBundles, "trust-bundles", nil, "bundles of trust anchors that the server knows (default: all)")
	flags.DurationVar(&o.limits.MaxAccessTokenLifetime, "max-access-token-lifetime", fapi.DefaultMaxAccessTokenLifetime, "longest lifetime of an access token that the server allows")
}

func (o *lintOptions) run(command *cobra.Command) error {
	if err := o.validate(); err != nil {
		return err
	}
	namespace, _, err := o.cluster.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return fmt.Errorf("find the namespace for manifests that state none; state --namespace instead: %w", err)
	}
	documents, err := manifest.Load(o.files, o.recursive, o.streams.In)
	if err != nil {
		return err
	}
	linter, err := lint.New(namespace, o.limits)
	if err != nil {
		return err
	}
	report := linter.Judge(command.Context(), documents)
	if report.Judged+report.Policies+len(report.Findings) == 0 {
		return fmt.Errorf("nothing was judged: there is no FAPIApplication among %d documents", len(documents))
	}
	if err := o.write(report); err != nil {
		return err
	}
	if len(report.Findings) > 0 || o.strictWarnings && len(report.Warnings) > 0 {
		return errFindings
	}
	return nil
}

func (o *lintOptions) validate() error {
	switch {
	case len(o.files) == 0:
		return errors.New("say what to judge: --filename with a file, a folder, or - for the standard input")
	case o.output != "text" && o.output != "json":
		return errors.New("--output is text or json")
	case o.limits.MaxAccessTokenLifetime < fapi.MinAccessTokenLifetime:
		return errors.New("--max-access-token-lifetime is at least 30s")
	}
	return nil
}

func (o *lintOptions) write(report lint.Report) error {
	if o.output == "json" {
		return report.WriteJSON(o.streams.Out)
	}
	return report.WriteText(o.streams.Out)
}
