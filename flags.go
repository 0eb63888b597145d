package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	webhookserver "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// settings are the operator's command-line flags, judged.
type settings struct {
	installation string
	serverClass  string
	namespaces   namespaces
	// namespaceSelector selects the namespaces by their labels; nil for none or all.
	namespaceSelector labels.Selector
	resync            time.Duration
	shard             controllers.Shard
	limits            fapi.Limits
	registrar         registrar.Config
	webhook           webhookserver.Options
	// webhookConfiguration is the ValidatingWebhookConfiguration to be ready by; empty for none.
	webhookConfiguration string
	// keyEncryptionKey is the Secret to make once; its name is empty for none.
	keyEncryptionKey objectName
	// fapiServer is the FAPIServer to report in, on the replicas behind the
	// privateService; empty for none.
	fapiServer     string
	privateService objectName
	// selfTest says whether the FAPIServer tells of the public path, too;
	// selfTestCAFile whom that trusts beside the system's authorities.
	selfTest       bool
	selfTestCAFile string

	metricsAddress          string
	probeAddress            string
	leaderElection          bool
	leaderElectionNamespace string
	logLevel                slog.Level
	version                 bool // say which build this is, and end

	letGo *letGo // what to do instead of serving; nil: serve
}

const usage = `operator FLAGS
    serves: registers FAPIApplications, and refuses those that are not FAPI
operator let-go FLAGS
    before the operator is uninstalled: stops it, and takes its finalizer off the FAPIApplications,
    whose clients stay registered; let-go --help shows its flags

`

// parseFlags reads the program's arguments without its name. The usage goes to
// output; flag.ErrHelp means that it was asked for.
func parseFlags(arguments []string, output io.Writer) (settings, error) {
	if len(arguments) > 0 && arguments[0] == letGoCommand {
		return parseLetGoFlags(arguments[1:], output)
	}
	var s settings
	set := flag.NewFlagSet("operator", flag.ContinueOnError)
	set.SetOutput(output)
	set.Usage = func() {
		_, _ = io.WriteString(output, usage) // Nobody is left to be told.
		set.PrintDefaults()
	}
	set.StringVar(&s.installation, "installation", "", "identifies this installation to the authorization server, as the owner of its clients; must never change (default: the UID of namespace kube-system)")
	s.addServedFlags(set)
	set.Func("shard", "reconcile this share of the namespaces, as `NUMBER/COUNT` such as 1/4; one operator is needed for each number (default: all)", s.takeShard)
	set.DurationVar(&s.resync, "resync", 10*time.Minute, "how often, at the least, everything that the authorization server holds is compared with what the applications say")
	set.DurationVar(&s.limits.MaxAccessTokenLifetime, "max-access-token-lifetime", fapi.DefaultMaxAccessTokenLifetime, "longest lifetime of an access token that the server allows (accessToken.maxLifetime of its configuration)")
	s.addRegistrarFlags(set)
	set.Var(&s.keyEncryptionKey, "key-encryption-key-secret", "make this Secret (`NAMESPACE/NAME`) with the authorization server's key-encryption key, unless it is there; it is never changed (default: none is made)")
	set.StringVar(&s.fapiServer, "fapi-server", "", "make the FAPIServer with this `NAME`, and report in it what the authorization server's replicas serve (default: none)")
	set.Var(&s.privateService, "private-service", "Service (`NAMESPACE/NAME`) of the authorization server's private listener, whose endpoints are the replicas; required with --fapi-server")
	set.BoolVar(&s.selfTest, "self-test", false, "present a certificate where clients do, and report in the FAPIServer whether it has arrived; needs --fapi-server")
	set.StringVar(&s.selfTestCAFile, "self-test-ca-file", "", "PEM file of authorities that may have issued the server's certificate for clients, beside the system's; the Secrets of bindings tell them, too (default: none)")
	set.StringVar(&s.webhook.Host, "webhook-host", "", "address that the webhook listens on (default: all)")
	set.IntVar(&s.webhook.Port, "webhook-port", 9443, "port that the webhook listens on")
	set.StringVar(&s.webhook.CertDir, "webhook-cert-dir", "", "folder with the webhook's tls.crt and tls.key, read again when they change; required")
	set.StringVar(&s.webhookConfiguration, "webhook-configuration", "", "be ready only once the ValidatingWebhookConfiguration with this `NAME` trusts the webhook's certificate (default: do not ask)")
	set.StringVar(&s.metricsAddress, "metrics-address", ":8080", "address that serves metrics; 0 for none")
	set.StringVar(&s.probeAddress, "probe-address", ":8081", "address that serves /healthz and /readyz; 0 for none")
	set.BoolVar(&s.leaderElection, "leader-elect", true, "let one replica at a time reconcile; false for an operator that is alone")
	set.StringVar(&s.leaderElectionNamespace, "leader-election-namespace", "", "namespace of the leader's lease; outside of a cluster it has to be stated (default: the operator's own)")
	set.BoolVar(&s.version, "version", false, "say which build this is, and end")
	if err := set.Parse(arguments); err != nil || s.version {
		return s, err
	}
	if set.NArg() > 0 {
		return settings{}, unexpected(set)
	}
	return s, s.check()
}

// unexpected refuses the first argument that is no flag.
func unexpected(set *flag.FlagSet) error {
	return fmt.Errorf("unexpected argument %q: everything is a flag; see --help", set.Arg(0))
}

// addServedFlags has the flags that an operator and its end share.
func (s *settings) addServedFlags(set *flag.FlagSet) {
	set.StringVar(&s.serverClass, "server-class", "", "serve the FAPIApplications with this serverClassName (default: those without one)")
	set.Var(&s.namespaces, "namespaces", "serve these namespaces alone, separated by commas (default: all)")
	set.Func("namespace-selector", "serve the namespaces alone that have these labels, such as 'fapi=yes' or 'team in (a, b), !legacy'; the webhook configuration needs the same as its namespaceSelector (default: all)", s.selectNamespaces)
	set.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "what to log, as JSON to standard error: DEBUG, INFO, WARN or ERROR")
}

// selectNamespaces reads --namespace-selector.
func (s *settings) selectNamespaces(text string) error {
	selector, err := labels.Parse(text)
	switch {
	case err != nil:
		return err
	case selector.Empty():
		return errors.New("labels are needed; leave the flag out for all namespaces")
	}
	s.namespaceSelector = selector
	return nil
}

// takeShard reads --shard.
func (s *settings) takeShard(text string) (err error) {
	s.shard, err = controllers.ParseShard(text)
	return err
}

func (s *settings) addRegistrarFlags(set *flag.FlagSet) {
	set.StringVar(&s.registrar.BaseURL, "registrar-url", "", "https URL of the authorization server's private listener; required")
	set.StringVar(&s.registrar.CAFile, "registrar-ca-file", "", "PEM file of the authorities that may have issued the private listener's certificate; required")
	set.StringVar(&s.registrar.CertificateFile, "registrar-cert-file", "", "PEM file of the operator's certificate for the private listener; required")
	set.StringVar(&s.registrar.KeyFile, "registrar-key-file", "", "PEM file of that certificate's private key; required")
}

// installationSyntax is what the server takes for a part of an owner.
var installationSyntax = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9._]{0,126}[A-Za-z0-9])?$`)

// check names everything that is missing or wrong at once.
func (s *settings) check() error {
	var problems []error
	for _, required := range []struct{ flag, value string }{
		{"registrar-url", s.registrar.BaseURL},
		{"registrar-ca-file", s.registrar.CAFile},
		{"registrar-cert-file", s.registrar.CertificateFile},
		{"registrar-key-file", s.registrar.KeyFile},
		{"webhook-cert-dir", s.webhook.CertDir},
	} {
		if required.value == "" {
			problems = append(problems, fmt.Errorf("--%s is missing; see --help", required.flag))
		}
	}
	problems = append(problems, s.checkServed())
	if s.limits.MaxAccessTokenLifetime < fapi.MinAccessTokenLifetime {
		problems = append(problems, fmt.Errorf("--max-access-token-lifetime is %v; write at least %v, as the server's configuration has it", s.limits.MaxAccessTokenLifetime, fapi.MinAccessTokenLifetime))
	}
	if s.resync < time.Second {
		problems = append(problems, fmt.Errorf("--resync is %v; write at least 1s, such as 10m", s.resync))
	}
	if (s.fapiServer == "") != (s.privateService.Name == "") {
		problems = append(problems, errors.New("--fapi-server and --private-service belong together: state both or neither"))
	}
	if (s.selfTest && s.fapiServer == "") || (s.selfTestCAFile != "" && !s.selfTest) {
		problems = append(problems, errors.New("--self-test-ca-file needs --self-test, and that --fapi-server, where its result is written"))
	}
	if s.installation != "" && !installationSyntax.MatchString(s.installation) {
		problems = append(problems, errors.New("--installation has 1 to 128 letters, digits, dots, hyphens and underscores, and begins and ends with a letter or digit"))
	}
	return errors.Join(problems...)
}

func (s *settings) checkServed() error {
	if len(s.namespaces) > 0 && s.namespaceSelector != nil {
		return errors.New("--namespaces and --namespace-selector exclude one another: a list is also all that the operator may read, and a selector needs rights in all namespaces; state one of them")
	}
	return nil
}

// objectName is a flag NAMESPACE/NAME.
type objectName types.NamespacedName

// String is the flag's value as it would be written.
func (n *objectName) String() string {
	if n.Name == "" {
		return ""
	}
	return n.Namespace + "/" + n.Name
}

// Set reads the flag.
func (n *objectName) Set(text string) error {
	namespace, name, _ := strings.Cut(text, "/")
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return errors.New("write NAMESPACE/NAME")
	}
	*n = objectName{Namespace: namespace, Name: name}
	return nil
}

// namespaces is a flag of names separated by commas.
type namespaces []string

// String is the flag's value as it would be written.
func (n *namespaces) String() string { return strings.Join(*n, ",") }

// Set reads the flag.
func (n *namespaces) Set(text string) error {
	*n = nil
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			return errors.New("names separated by commas are needed, none of them empty")
		}
		*n = append(*n, name)
	}
	return nil
}

// cacheConfig is nil for all namespaces.
func (n *namespaces) cacheConfig() map[string]cache.Config {
	if len(*n) == 0 {
		return nil
	}
	configs := make(map[string]cache.Config, len(*n))
	for _, name := range *n {
		configs[name] = cache.Config{}
	}
	return configs
}
