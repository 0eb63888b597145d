package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/administration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/lint"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/plan"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// planOptions are the flags of plan.
type planOptions struct {
	administratorOptions
	files     []string
	recursive bool
	streams   genericiooptions.IOStreams
}

func newPlan(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &planOptions{administratorOptions: administratorOptions{flags: flags}, streams: streams}
	command := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Tell what a change of FAPIApplications would change and break, and change nothing",
		Long: `Tell what would happen if FAPIApplications were applied: whether admission lets them
in, what would change at the authorization server, and what of that breaks something
for clients and people. Nothing is changed. With an administrator's credentials, the
grants in force that a change touches are counted.

Exit code 0: nothing breaks. 1: something is refused or breaks. 2: that could not be
found out.`,
		Example: `  kubectl fapi plan -f client.yaml
  kubectl fapi plan -f client.yaml --credentials-secret fapi-system/administrator`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return options.run(command.Context()) },
	}
	options.addFlags(command.Flags())
	command.Flags().StringArrayVarP(&options.files, "filename", "f", nil, "file or folder with manifests, or - for the standard input; may be repeated")
	command.Flags().BoolVarP(&options.recursive, "recursive", "R", false, "read the folders below as well")
	return command
}

func (o *planOptions) run(ctx context.Context) error {
	applications, err := o.read()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cluster, err := connect(o.flags)
	if err != nil {
		return err
	}
	var server *administration.Client
	if o.isStated() {
		if server, err = o.connect(ctx); err != nil {
			return err
		}
		defer server.Close()
	}
	harmless := true
	for _, application := range applications {
		outcome, err := cluster.plan(ctx, application, server)
		if err != nil {
			return err
		}
		if err := outcome.write(o.streams.Out); err != nil {
			return err
		}
		harmless = harmless && outcome.isHarmless()
	}
	if !harmless {
		return errFindings
	}
	return nil
}

// read gives the applications of the files, in their order.
func (o *planOptions) read() ([]*unstructured.Unstructured, error) {
	if len(o.files) == 0 {
		return nil, errors.New("say what would be applied: --filename with a file, a folder, or - for the standard input")
	}
	documents, err := manifest.Load(o.files, o.recursive, o.streams.In)
	if err != nil {
		return nil, err
	}
	var applications []*unstructured.Unstructured
	for _, document := range documents {
		if document.Err != nil {
			return nil, fmt.Errorf("%s:%d: %w", document.File, document.Line, document.Err)
		}
		object := &unstructured.Unstructured{Object: document.Object}
		if object.GetKind() == lint.Kind && object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group {
			applications = append(applications, object)
		}
	}
	if len(applications) == 0 {
		return nil, fmt.Errorf("there is no FAPIApplication among %d documents", len(documents))
	}
	return applications, nil
}

// outcome is what would become of one application.
type outcome struct {
	name        string
	created     bool
	refused     []string
	warnings    []string
	differences []plan.Difference
}

func (o outcome) isHarmless() bool {
	return len(o.refused) == 0 && !slices.ContainsFunc(o.differences, func(d plan.Difference) bool { return len(d.Breaks) > 0 })
}

// plan tries the change at the API server, and compares what is registered with
// what would be.
func (c *cluster) plan(ctx context.Context, wanted *unstructured.Unstructured, server *administration.Client) (outcome, error) {
	if wanted.GetNamespace() == "" {
		wanted.SetNamespace(c.namespace)
	}
	result := outcome{name: wanted.GetNamespace() + "/" + wanted.GetName()}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(lint.Kind))
	err := c.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	result.created = apierrors.IsNotFound(err)
	if client.IgnoreNotFound(err) != nil {
		return result, err
	}
	changed := wanted
	if !result.created {
		changed = applied(wanted, live)
	}
	if result.refused, result.warnings, err = c.try(ctx, changed, result.created); err != nil {
		return result, err
	}
	if result.created {
		return result, nil
	}
	result.differences, err = compare(ctx, live, changed, server)
	return result, err
}

// applied is the live object with what the manifest states: the whole spec, since
// its fields are whoever's applies it, and labels and annotations beside those of others.
func applied(wanted, live *unstructured.Unstructured) *unstructured.Unstructured {
	changed := live.DeepCopy()
	delete(changed.Object, "status")
	changed.Object["spec"] = wanted.Object["spec"]
	changed.SetAnnotations(merged(live.GetAnnotations(), wanted.GetAnnotations()))
	changed.SetLabels(merged(live.GetLabels(), wanted.GetLabels()))
	for member, value := range wanted.Object {
		if _, known := changed.Object[member]; !known && member != "status" {
			changed.Object[member] = value // for strict field validation to find
		}
	}
	return changed
}

func merged(one, over map[string]string) map[string]string {
	all := map[string]string{}
	for _, values := range []map[string]string{one, over} {
		for name, value := range values {
			all[name] = value
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// try has the API server do all but store: strict field validation, schema, CEL
// and admission. An error says that this could not be found out.
func (c *cluster) try(ctx context.Context, object *unstructured.Unstructured, create bool) (refused, warnings []string, err error) {
	collector := &warningCollector{}
	config := rest.CopyConfig(c.config)
	config.WarningHandlerWithContext = collector
	kube, err := client.New(config, client.Options{Scheme: c.Scheme()})
	if err != nil {
		return nil, nil, fmt.Errorf("reach the cluster: %w", err)
	}
	strictly := client.FieldValidation(metav1.FieldValidationStrict)
	if create {
		err = kube.Create(ctx, object.DeepCopy(), client.DryRunAll, strictly, client.FieldOwner(fieldManager))
	} else {
		err = kube.Patch(ctx, object.DeepCopy(), wholly(object), client.DryRunAll, strictly, client.FieldOwner(fieldManager))
	}
	switch {
	case err == nil:
		return nil, collector.warnings, nil
	case isRefusal(err):
		return reasons(err), collector.warnings, nil
	}
	return nil, nil, err
}

// wholly is a JSON patch (RFC 6902) that puts the object's members in the place of
// those that there are. It goes by no resource version: others, as the operator does,
// may write meanwhile.
func wholly(object *unstructured.Unstructured) client.Patch {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	var operations []operation
	add := func(path string, value any) { operations = append(operations, operation{"add", path, value}) }
	for member, value := range object.Object {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata"}, member) {
			add("/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(member), value)
		}
	}
	if annotations := object.GetAnnotations(); annotations != nil {
		add("/metadata/annotations", annotations)
	}
	if labels := object.GetLabels(); labels != nil {
		add("/metadata/labels", labels)
	}
	encoded, err := json.Marshal(operations)
	utilruntime.Must(err) // It was JSON before.
	return client.RawPatch(types.JSONPatchType, encoded)
}

// warningCollector keeps what the API server and webhooks warn of.
type warningCollector struct{ warnings []string }

// HandleWarningHeaderWithContext takes one warning (RFC 7234, 5.5).
func (c *warningCollector) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	const miscellaneous = 299
	if code == miscellaneous {
		c.warnings = append(c.warnings, text)
	}
}

// isRefusal tells a verdict on the object from a failure to get one. What a
// person may not do is told apart from what a policy denies by its words alone.
func isRefusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err) && strings.Contains(err.Error(), "denied")
}

func reasons(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return []string{err.Error()}
	}
	var reasons []string
	for _, cause := range status.Status().Details.Causes {
		reasons = append(reasons, cause.Field+": "+cause.Message)
	}
	return reasons
}

func compare(ctx context.Context, live, changed *unstructured.Unstructured, server *administration.Client) ([]plan.Difference, error) {
	before, after := &v1alpha1.FAPIApplication{}, &v1alpha1.FAPIApplication{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, before); err != nil {
		return nil, fmt.Errorf("read the application: %w", err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(changed.Object, after); err != nil {
		return nil, nil // a value has the wrong type, of which the refusal tells
	}
	grants, err := countable(ctx, clientmetadata.ClientID(before), server)
	if err != nil {
		return nil, err
	}
	return plan.Compare(before, after, grants), nil
}

// countable are the grants in force for the client, where there is a server to ask.
func countable(ctx context.Context, clientID string, server *administration.Client) (plan.Grants, error) {
	if server == nil {
		return plan.Grants{}, nil
	}
	listed, err := server.Grants(ctx, administration.Filter{ClientID: clientID})
	if err != nil {
		return plan.Grants{}, err
	}
	grants := plan.Grants{Counted: true}
	for _, grant := range listed {
		grants.Grants = append(grants.Grants, plan.Grant{Scopes: oauth.SpaceSeparated(grant.Scope), DetailsTypes: typesOf(grant.AuthorizationDetails)})
	}
	return grants, nil
}

// typesOf are the types of authorization details (RFC 9396, 2).
func typesOf(details json.RawMessage) []string {
	var elements []struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(details, &elements) != nil {
		return nil
	}
	var types []string
	for _, element := range elements {
		types = append(types, element.Type)
	}
	return types
}

// write puts a minus before what goes, a plus before what comes, and an
// exclamation mark before what breaks.
func (o outcome) write(out io.Writer) error {
	var text strings.Builder
	text.WriteString(terminal.Printable(o.name) + ": " + o.verdict() + "\n")
	lines(&text, "! ", o.refused)
	lines(&text, "warning: ", o.warnings)
	for _, difference := range o.differences {
		text.WriteString("  " + difference.Member + "\n")
		lines(&text, "  - ", difference.Removed)
		lines(&text, "  + ", difference.Added)
		lines(&text, "  ! ", difference.Breaks)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func (o outcome) verdict() string {
	switch {
	case len(o.refused) > 0:
		return "would be refused"
	case o.created:
		return "would be created"
	case len(o.differences) == 0:
		return "would change nothing at the authorization server"
	case o.isHarmless():
		return "would be changed, and breaks nothing"
	}
	return "would be changed"
}

// lines writes each sentence behind its mark, on lines of bounded width.
func lines(text *strings.Builder, mark string, sentences []string) {
	mark = "  " + mark
	for _, sentence := range sentences {
		before := mark
		for _, line := range terminal.Wrap(sentence, terminal.Width-len(mark)) {
			text.WriteString(before + line + "\n")
			before = strings.Repeat(" ", len(mark))
		}
	}
}
