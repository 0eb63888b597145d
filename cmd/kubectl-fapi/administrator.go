package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/administration"
)

// administratorOptions are the flags of commands that call the administration
// API: where the private listener is, and with which certificate it is called.
type administratorOptions struct {
	server  string
	service string

	secret               string
	certificate, key, ca string

	flags *genericclioptions.ConfigFlags
}

// defaultService is the private listener's Service of the chart, installed as its documentation says.
const defaultService = "fapi-system/fapi-operator-private"

func (o *administratorOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.server, "authserver", "", "https URL of the authorization server's private listener; without it, a connection is forwarded by the cluster to --service")
	flags.StringVar(&o.service, "service", defaultService, "NAMESPACE/NAME of the private listener's Service")
	flags.StringVar(&o.secret, "credentials-secret", "", "NAMESPACE/NAME of a kubernetes.io/tls Secret with the administrator's certificate, and ca.crt of the server")
	flags.StringVar(&o.certificate, "cert", "", "file with the administrator's certificate, in PEM")
	flags.StringVar(&o.key, "key", "", "file with the certificate's private key, in PEM")
	flags.StringVar(&o.ca, "ca", "", "file with the authorities that vouch for the server, in PEM; instead of ca.crt in the Secret")
}

// isStated tells whether a person said as whom to call the server.
func (o *administratorOptions) isStated() bool { return o.secret+o.certificate+o.key != "" }

// connect reaches the private listener. The cluster is asked only for what
// stands in it.
func (o *administratorOptions) connect(ctx context.Context) (*administration.Client, error) {
	credentials, err := o.credentials(ctx)
	if err != nil {
		return nil, err
	}
	if o.server != "" {
		return administration.New(o.server, credentials, nil)
	}
	namespace, name, err := namespaced("--service", o.service)
	if err != nil {
		return nil, err
	}
	cluster, err := connect(o.flags)
	if err != nil {
		return nil, err
	}
	tunnel, err := cluster.forward(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return administration.New(fmt.Sprintf("https://%s.%s.svc", name, namespace), credentials, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", tunnel)
	})
}

func (o *administratorOptions) credentials(ctx context.Context) (administration.Credentials, error) {
	credentials, err := o.readCredentials(ctx)
	if err != nil || o.ca == "" {
		return credentials, err
	}
	credentials.Authorities, err = os.ReadFile(o.ca)
	return credentials, err
}

func (o *administratorOptions) readCredentials(ctx context.Context) (credentials administration.Credentials, err error) {
	switch {
	case o.secret != "" && o.certificate+o.key == "":
		return o.readSecret(ctx)
	case o.secret != "" || o.certificate == "" || o.key == "" || o.ca == "":
		return credentials, errors.New("say as whom to call the server: --credentials-secret, or --cert, --key and --ca")
	}
	if credentials.Certificate, err = os.ReadFile(o.certificate); err != nil {
		return credentials, err
	}
	credentials.Key, err = os.ReadFile(o.key)
	return credentials, err
}

func (o *administratorOptions) readSecret(ctx context.Context) (credentials administration.Credentials, err error) {
	namespace, name, err := namespaced("--credentials-secret", o.secret)
	if err != nil {
		return credentials, err
	}
	cluster, err := connect(o.flags)
	if err != nil {
		return credentials, err
	}
	secret := &corev1.Secret{}
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return credentials, err
	}
	return administration.Credentials{
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey], Authorities: secret.Data[corev1.ServiceAccountRootCAKey],
	}, nil
}

func namespaced(flag, value string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(value, "/")
	if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%s is NAMESPACE/NAME", flag)
	}
	return namespace, name, nil
}
