package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/controllers"
)

// letGoCommand is the first argument of what is done before the operator is uninstalled.
const letGoCommand = "let-go"

// letGo are the flags of that command beside those that say what is served.
type letGo struct {
	operatorNamespace string
	operators         labels.Selector
	issuer            string
	patience          time.Duration
}

// parseLetGoFlags reads the arguments behind the command.
func parseLetGoFlags(arguments []string, output io.Writer) (settings, error) {
	s := settings{letGo: &letGo{}}
	set := flag.NewFlagSet("operator "+letGoCommand, flag.ContinueOnError)
	set.SetOutput(output)
	s.addServedFlags(set)
	set.StringVar(&s.letGo.operatorNamespace, "operator-namespace", "", "`NAMESPACE` of the operator; required")
	set.Func("operator-selector", "`LABELS` of the operator's Deployments, which are scaled to 0, and of their pods, whose end is waited for; required", s.letGo.selectOperators)
	set.StringVar(&s.letGo.issuer, "issuer", "", "issuer of the authorization server: in namespaces that are not served any more, the applications that are registered there are let go, too (default: those that are registered nowhere)")
	set.DurationVar(&s.letGo.patience, "patience", 2*time.Minute, "how long the operator's pods may take to end")
	if err := set.Parse(arguments); err != nil {
		return settings{}, err
	}
	if set.NArg() > 0 {
		return settings{}, unexpected(set)
	}
	return s, errors.Join(s.checkServed(), s.letGo.check())
}

// selectOperators reads --operator-selector.
func (l *letGo) selectOperators(text string) (err error) {
	l.operators, err = labels.Parse(text)
	return err
}

func (l *letGo) check() error {
	if l.operatorNamespace == "" || l.operators == nil || l.operators.Empty() {
		return errors.New("--operator-namespace and --operator-selector are needed: an operator that is not stopped puts its finalizers back; kubectl get deployments --show-labels shows its labels")
	}
	return nil
}

// letGoOfAll leaves nothing that only a running operator would let go.
func letGoOfAll(ctx context.Context, settings settings) error {
	config, scheme, err := cluster()
	if err != nil {
		return err
	}
	kube, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	end := &controllers.LetGo{
		Kube:              kube,
		ServerClassName:   settings.serverClass,
		Namespaces:        settings.namespaces,
		NamespaceSelector: settings.namespaceSelector,
		Issuer:            settings.letGo.issuer,
		Operators:         settings.letGo.operators,
		OperatorNamespace: settings.letGo.operatorNamespace,
		Patience:          settings.letGo.patience,
		Log:               ctrl.Log,
	}
	return end.Run(ctx)
}
