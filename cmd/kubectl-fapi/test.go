package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/flow"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// testOptions are the flags of test.
type testOptions struct {
	scope, redirectURI string
	credentials        clientCredentials

	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams
}

func newTest(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	options := &testOptions{flags: flags, streams: streams}
	command := &cobra.Command{
		Use:   "test NAME",
		Short: "Go through a real flow as the client that a FAPIApplication declares, step by step",
		Long: `Go through a real flow as the client that a FAPIApplication declares, and tell of each
step what was asked and what came back. You log in with your own browser, and paste
the address to which it is sent back. A client without the authorization_code grant
asks for a token of its own. In the end the tokens are revoked.

The client's private key and certificate are read from the Secrets that the operator
keeps, with your own rights, or from files. Access tokens are never written in full.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			return options.run(command.Context(), arguments[0])
		},
	}
	command.Flags().StringVar(&options.scope, "scope", "", "scope to ask for; all that the application may ask for unless stated")
	command.Flags().StringVar(&options.redirectURI, "redirect-uri", "", "redirect URI to ask for; the first of the application's unless stated")
	options.credentials.addFlags(command.Flags())
	return command
}

// trial is a flow as one application's client.
type trial struct {
	*testOptions
	cluster     *cluster
	application *v1alpha1.FAPIApplication

	client        *flow.Client
	authorization *flow.Authorization
	code          string
	tokens        flow.Tokens
}

// step is one thing that is tried; it tells what came of it.
type step struct {
	name string
	try  func(context.Context) (string, error)
}

func (o *testOptions) run(ctx context.Context, name string) error {
	cluster, err := connect(o.flags)
	if err != nil {
		return err
	}
	application, err := cluster.application(ctx, name)
	if err != nil {
		return err
	}
	t := &trial{testOptions: o, cluster: cluster, application: application}
	steps := []step{{"application", t.isReady}, {"the client's keys", t.readKeys}, {"discovery", t.discover}}
	if slices.Contains(application.Spec.GrantTypes, oauth.GrantAuthorizationCode) {
		steps = append(steps, step{"pushed authorization request", t.push}, step{"authorization", t.authorize}, step{"tokens", t.redeem}, step{"userinfo", t.askUserinfo})
	} else {
		steps = append(steps, step{"token", t.askForToken})
	}
	return t.walk(ctx, append(steps, step{"revocation", t.revoke}))
}

// walk tries every step up to the one that fails. Tokens that were obtained by
// then are revoked all the same.
func (t *trial) walk(ctx context.Context, steps []step) error {
	defer func() {
		if t.client != nil {
			t.client.Close()
		}
	}()
	for i, step := range steps {
		outcome, err := step.try(ctx)
		if err == nil {
			t.write(fmt.Sprintf("%d. %s: %s", i+1, step.name, outcome))
			continue
		}
		t.write(fmt.Sprintf("%d. %s: FAILED: %v", i+1, step.name, err), hints(err)...)
		if i < len(steps)-1 && t.tokens.AccessToken != "" {
			t.revokeAfterFailure(ctx)
		}
		if isFinding(err) {
			return errFindings
		}
		return fmt.Errorf("%s: %w", step.name, err)
	}
	return nil
}

func (t *trial) revokeAfterFailure(ctx context.Context) {
	outcome, err := t.revoke(ctx)
	if err != nil {
		outcome = fmt.Sprintf("FAILED: %v; they expire in %d s", err, t.tokens.ExpiresIn)
	}
	t.write("   the tokens are revoked: " + outcome)
}

// write writes an outcome, and what more is to be said of it, on lines of their own.
func (t *trial) write(outcome string, more ...string) {
	lines := terminal.Wrap(outcome, terminal.Width)
	for _, text := range more {
		lines = append(lines, terminal.Wrap(text, terminal.Width)...)
	}
	// Where nobody reads it, nothing is lost.
	_, _ = fmt.Fprintln(t.streams.Out, strings.Join(lines, "\n   "))
}

// findingError is what is wrong with the application, before the server is asked.
type findingError struct{ text string }

func (e *findingError) Error() string { return e.text }

// isFinding tells whether the flow was tried and is not as it should be, rather
// than could not be tried.
func isFinding(err error) bool {
	var refused *flow.RefusedError
	var wrong *flow.WrongError
	var finding *findingError
	return errors.As(err, &refused) || errors.As(err, &wrong) || errors.As(err, &finding)
}

// ruleInDescription finds the rule that an error_description ends with.
var ruleInDescription = regexp.MustCompile(`\(([A-Z][A-Za-z0-9.]*-[A-Za-z0-9.-]+)\)`)

// hints says of a refusal by a rule which clause it is, and what to do.
func hints(err error) []string {
	refused, isRefused := errors.AsType[*flow.RefusedError](err)
	if !isRefused {
		return nil
	}
	found := ruleInDescription.FindStringSubmatch(refused.Description)
	if found == nil {
		return nil
	}
	rules := fapi.Rules()
	i := slices.IndexFunc(rules, func(rule fapi.RuleText) bool {
		return string(rule.ID) == found[1] && strings.HasPrefix(refused.Description, asciiOnly(rule.Demand))
	})
	if i < 0 {
		return nil
	}
	return []string{"rule: " + found[1] + " (" + rules[i].Clause + ")", "what to do: " + rules[i].Remedy}
}

// asciiOnly is a demand as an error_description shows it.
func asciiOnly(demand string) string { return (&oauth.Error{Description: demand}).ErrorDescription() }

func (t *trial) isReady(context.Context) (string, error) {
	ready := meta.FindStatusCondition(t.application.Status.Conditions, v1alpha1.ConditionReady)
	status := t.application.Status
	if ready == nil || ready.Status != "True" || ready.ObservedGeneration != t.application.Generation || status.Effective == nil || status.Registration == nil {
		return "", &findingError{"it is not Ready, and waits for: " + standing(t.application)}
	}
	return fmt.Sprintf("%s/%s is Ready: client %s, which authenticates by %s; its access tokens are bound by %s",
		t.application.Namespace, t.application.Name, status.ClientID, status.Effective.TokenEndpointAuthMethod, status.Effective.SenderConstraint), nil
}

func (t *trial) readKeys(ctx context.Context) (outcome string, err error) {
	t.client, outcome, err = t.cluster.becomeClient(ctx, t.application, t.credentials)
	return outcome, err
}

func (t *trial) discover(ctx context.Context) (string, error) {
	if err := t.client.Discover(ctx); err != nil {
		return "", t.credentials.explain(err)
	}
	return "the metadata is that of the issuer at which the client is registered: " + t.client.Issuer, nil
}

// scopes are what is asked for.
func (t *trial) scopes() string {
	if t.scope != "" {
		return t.scope
	}
	return strings.Join(t.application.Status.Effective.Scopes, " ")
}

func (t *trial) push(ctx context.Context) (string, error) {
	redirectURI := t.redirectURI
	if redirectURI == "" {
		redirectURI = t.application.Spec.RedirectURIs[0]
	}
	t.authorization = flow.NewAuthorization(redirectURI, t.scopes())
	endpoint := t.client.Endpoints().PAR
	if err := t.client.Push(ctx, t.authorization); err != nil {
		return "", fmt.Errorf("POST %s: %w", endpoint, err)
	}
	what := "the request"
	if t.client.SignsRequests {
		what = "the request, as a signed object,"
	}
	return fmt.Sprintf("POST %s: %s with redirect_uri %s and scope %q is accepted, and waits %v for the browser", endpoint, what, redirectURI, t.authorization.Scope, t.authorization.Lifetime), nil
}

// authorize has a person log in. The address is written whole, on a line of its own.
func (t *trial) authorize(ctx context.Context) (string, error) {
	tell(t.streams, "\nOpen this address in a browser, log in and consent:\n\n"+terminal.Printable(t.client.Address(t.authorization))+
		"\n\nThe browser is then sent to "+terminal.Printable(t.authorization.RedirectURI)+", whether or not anybody answers there.\nPaste the whole address to which it was sent, and press Enter:")
	address, err := t.readLine(ctx)
	if err != nil {
		return "", err
	}
	if t.code, err = t.client.ReadResponse(t.authorization, address); err != nil {
		return "", err
	}
	return "a code has come back, from this issuer and for this request", nil
}

// readLine ends with ctx, which the standard input does not.
func (t *trial) readLine(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(t.streams.In).ReadString('\n')
		lines <- line{text, err}
	}()
	select {
	case read := <-lines:
		if strings.TrimSpace(read.text) == "" {
			return "", errors.Join(errors.New("no address was pasted"), read.err)
		}
		return read.text, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (t *trial) redeem(ctx context.Context) (string, error) {
	endpoint := t.client.Endpoints().Token
	tokens, err := t.client.Redeem(ctx, t.authorization, t.code)
	t.tokens = tokens
	if err != nil {
		return "", fmt.Errorf("POST %s: %w", endpoint, err)
	}
	return fmt.Sprintf("POST %s: %s", endpoint, describeTokens(tokens)), nil
}

func (t *trial) askForToken(ctx context.Context) (string, error) {
	endpoint := t.client.Endpoints().Token
	tokens, err := t.client.ClientCredentials(ctx, t.scopes())
	t.tokens = tokens
	if err != nil {
		return "", fmt.Errorf("POST %s: %w", endpoint, err)
	}
	return fmt.Sprintf("POST %s for the client itself: %s", endpoint, describeTokens(tokens)), nil
}

// describeTokens shows the beginning of the access token, which is the same in all of them.
func describeTokens(tokens flow.Tokens) string {
	parts := []string{fmt.Sprintf("an access token of type %s (%.6s...) for %d s, scope %q", tokens.TokenType, tokens.AccessToken, tokens.ExpiresIn, tokens.Scope)}
	if tokens.RefreshToken != "" {
		parts = append(parts, "a refresh token")
	}
	if tokens.IDToken != "" {
		parts = append(parts, "an ID token, verified, about "+tokens.Subject)
	}
	return strings.Join(parts, "; ")
}

func (t *trial) askUserinfo(ctx context.Context) (string, error) {
	if t.tokens.IDToken == "" {
		return "not asked: without scope openid there is no person to tell of", nil
	}
	endpoint := t.client.Endpoints().Userinfo
	subject, err := t.client.Userinfo(ctx, t.tokens.AccessToken)
	switch {
	case err != nil:
		return "", fmt.Errorf("GET %s: %w", endpoint, err)
	case subject != t.tokens.Subject: // OpenID Connect Core, 5.3.2
		return "", &findingError{fmt.Sprintf("GET %s: it tells of %q, and the ID token of %q", endpoint, subject, t.tokens.Subject)}
	}
	return fmt.Sprintf("GET %s: it tells of the same person", endpoint), nil
}

// revoke ends the access token, and with the refresh token the grant, and makes
// sure of it where there is an endpoint that takes the access token.
func (t *trial) revoke(ctx context.Context) (string, error) {
	endpoint := t.client.Endpoints().Revocation
	for _, token := range []string{t.tokens.AccessToken, t.tokens.RefreshToken} {
		if token == "" {
			continue
		}
		if err := t.client.Revoke(ctx, token); err != nil {
			return "", fmt.Errorf("POST %s: %w", endpoint, err)
		}
	}
	if t.tokens.IDToken == "" {
		return fmt.Sprintf("POST %s: the tokens are revoked", endpoint), nil
	}
	_, err := t.client.Userinfo(ctx, t.tokens.AccessToken)
	if refused, isRefused := errors.AsType[*flow.RefusedError](err); isRefused && refused.Status == http.StatusUnauthorized {
		return fmt.Sprintf("POST %s: the tokens are revoked, and userinfo refuses the access token", endpoint), nil
	}
	return "", errors.Join(&findingError{"userinfo does not refuse the access token that was revoked"}, err)
}
