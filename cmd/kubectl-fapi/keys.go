package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// fieldManager is who set the annotations, in managedFields.
const fieldManager = "kubectl-fapi"

// defaultKeyTimeout is how long a person waits for the operator to act; our own choice.
const defaultKeyTimeout = 2 * time.Minute

// keyOptions are the flags of the commands that ask the operator to change a managed key.
type keyOptions struct {
	wait    bool
	timeout time.Duration

	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
}

func (o *keyOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.wait, "wait", false, "wait until the operator has done it")
	flags.DurationVar(&o.timeout, "timeout", defaultKeyTimeout, "how long --wait waits")
}

func newRotateKey(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &keyOptions{flags: flags, streams: streams}
	command := &cobra.Command{
		Use:   "rotate-key NAME",
		Short: "Have the operator replace a managed key, without refusing a request",
		Long: `Have the operator replace the managed key of a FAPIApplication: another one is
registered beside it, the Secret shows it, and the former one stays registered for
the overlap that the manifest states.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.rotate(command.Context(), arguments[0])
		},
	}
	options.addFlags(command.Flags())
	return command
}

func newRevokeKey(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &keyOptions{flags: flags, streams: streams}
	kid, yes := "", false
	command := &cobra.Command{
		Use:   "revoke-key NAME --kid KID",
		Short: "Have the operator give up a managed key that somebody else may have, and all that it obtained",
		Long: `Have the operator give up a managed key of a FAPIApplication, because somebody else
may have it: the key leaves the registration at once, without an overlap, and every
grant and access token of the client ends. People consent again. It asks before,
unless --yes is given.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.revoke(command.Context(), arguments[0], kid, yes)
		},
	}
	options.addFlags(command.Flags())
	// A flag's value may begin with a hyphen, as base64url does; an argument may not.
	command.Flags().StringVar(&kid, "kid", "", "the kid of the key to give up, as status.keys.keyIDs lists them")
	command.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return command
}

// rotate gives the annotation a value that it has not had: the time.
func (o *keyOptions) rotate(ctx context.Context, name string) error {
	cluster, application, err := o.managed(ctx, name)
	if err != nil {
		return err
	}
	value := time.Now().UTC().Format(time.RFC3339Nano)
	if err := cluster.annotate(ctx, application, v1alpha1.RotateKeyAnnotation, value); err != nil {
		return err
	}
	return o.await(ctx, cluster, application, "the rotation", func(application *v1alpha1.FAPIApplication) bool {
		return managedKeys(application).RotateKey == value
	})
}

func (o *keyOptions) revoke(ctx context.Context, name, kid string, yes bool) error {
	cluster, application, err := o.managed(ctx, name)
	switch {
	case err != nil:
		return err
	case kid == "":
		return fmt.Errorf("--kid says which key; kubectl fapi describe %s lists them", name)
	case slices.Contains(managedKeys(application).Revoked, kid):
		tell(o.streams, "the key was revoked before: nothing to do")
		return nil
	case application.Status.Keys == nil || !slices.Contains(application.Status.Keys.KeyIDs, kid):
		return fmt.Errorf("the application has no key %q registered; kubectl fapi describe %s lists them", kid, name)
	case !yes && !confirms(o.streams, "revoke the key "+kid+" of "+name+" and end every grant and access token of the client"):
		return errors.New("nothing was revoked")
	}
	if err := cluster.annotate(ctx, application, v1alpha1.RevokeKeyAnnotation, kid); err != nil {
		return err
	}
	return o.await(ctx, cluster, application, "the revocation", func(application *v1alpha1.FAPIApplication) bool {
		ready := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionRegistered)
		return slices.Contains(managedKeys(application).Revoked, kid) && !slices.Contains(application.Status.Keys.KeyIDs, kid) &&
			ready != nil && ready.Status == metav1.ConditionTrue
	})
}

// managed is an application whose keys the operator makes.
func (o *keyOptions) managed(ctx context.Context, name string) (*cluster, *v1alpha1.FAPIApplication, error) {
	cluster, err := connect(o.flags)
	if err != nil {
		return nil, nil, err
	}
	application, err := cluster.application(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if keys := application.Spec.Keys; keys == nil || keys.Source != v1alpha1.KeySourceManaged {
		return nil, nil, fmt.Errorf("the operator makes no keys for %s: its keys.source is not Managed; change the keys where they come from", name)
	}
	return cluster, application, nil
}

// managedKeys is empty as long as the status says nothing.
func managedKeys(application *v1alpha1.FAPIApplication) v1alpha1.ManagedKeysStatus {
	if keys := application.Status.Keys; keys != nil && keys.Managed != nil {
		return *keys.Managed
	}
	return v1alpha1.ManagedKeysStatus{}
}

// annotate changes this one annotation, whatever others write meanwhile.
func (c *cluster) annotate(ctx context.Context, application *v1alpha1.FAPIApplication, annotation, value string) error {
	before := application.DeepCopy()
	metav1.SetMetaDataAnnotation(&application.ObjectMeta, annotation, value)
	return c.Patch(ctx, application, client.MergeFrom(before), client.FieldOwner(fieldManager))
}

// await watches the application until it is done, where that was asked for.
func (o *keyOptions) await(ctx context.Context, cluster *cluster, application *v1alpha1.FAPIApplication, what string, done func(*v1alpha1.FAPIApplication) bool) error {
	if !o.wait {
		_, err := fmt.Fprintf(o.streams.Out, "%s is asked for; kubectl fapi describe %s tells how it goes\n", what, application.Name)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	last, err := cluster.watchUntil(ctx, application, done)
	if err != nil {
		return fmt.Errorf("%s is asked for and not done: %w; the application waits for: %s", what, err, standing(last))
	}
	_, err = fmt.Fprintf(o.streams.Out, "%s is done: the Secret %s shows the key %s\n", what, last.Status.Keys.SecretName, terminal.Printable(managedKeys(last).KeyID))
	return err
}

func standing(application *v1alpha1.FAPIApplication) string {
	ready := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "the operator"
	}
	return terminal.Printable(strings.TrimSpace(ready.Reason + " " + ready.Message))
}

// watchUntil gives the application as it was last seen.
func (c *cluster) watchUntil(ctx context.Context, application *v1alpha1.FAPIApplication, done func(*v1alpha1.FAPIApplication) bool) (*v1alpha1.FAPIApplication, error) {
	last := application
	for {
		changes, err := c.Watch(ctx, &v1alpha1.FAPIApplicationList{}, client.InNamespace(application.Namespace), client.MatchingFields{"metadata.name": application.Name})
		if err != nil {
			return last, fmt.Errorf("watch the application: %w", err)
		}
		for event := range changes.ResultChan() {
			changed, isApplication := event.Object.(*v1alpha1.FAPIApplication)
			switch {
			case event.Type == watch.Deleted:
				changes.Stop()
				return last, errors.New("it was deleted")
			case !isApplication:
				continue // a bookmark, or an error that ends this watch
			case done(changed):
				changes.Stop()
				return changed, nil
			}
			last = changed
		}
		if ctx.Err() != nil {
			return last, context.Cause(ctx)
		}
	}
}
