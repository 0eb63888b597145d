package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/describe"
)

func newDescribe(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME",
		Short: "Tell how a FAPIApplication is: what it waits for, settings, keys, certificate, registration, events",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			cluster, err := connect(flags)
			if err != nil {
				return err
			}
			return cluster.describe(command.Context(), arguments[0], streams)
		},
	}
}

func (c *cluster) describe(ctx context.Context, name string, streams genericiooptions.IOStreams) error {
	application, err := c.application(ctx, name)
	if err != nil {
		return err
	}
	var events corev1.EventList
	about := client.MatchingFields{"involvedObject.uid": string(application.UID)}
	if err := c.List(ctx, &events, client.InNamespace(c.namespace), about); err != nil {
		tell(streams, "kubectl fapi: the events cannot be read: "+err.Error())
	}
	return describe.Write(streams.Out, application, events.Items, time.Now())
}
