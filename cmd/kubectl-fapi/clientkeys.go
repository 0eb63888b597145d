package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/flow"
)

// clientCredentials are the flags that name files with what a client has, where
// the operator does not keep it, and whom it trusts.
type clientCredentials struct{ jwk, certificate, key, ca string }

func (c *clientCredentials) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.jwk, "private-jwk", "", "file with the client's private key as a JWK, where the operator keeps none")
	flags.StringVar(&c.certificate, "cert", "", "file with the client's certificate in PEM, where the operator keeps none")
	flags.StringVar(&c.key, "key", "", "file with the certificate's private key in PEM")
	flags.StringVar(&c.ca, "ca", "", "file with the authorities that vouch for the server, in PEM; the system's unless stated")
}

// explain says what to do about a server that is not trusted.
func (c *clientCredentials) explain(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) && c.ca == "" {
		return fmt.Errorf("%w; --ca names the authorities that vouch for the server", err)
	}
	return err
}

func (c *clientCredentials) roots() (*x509.CertPool, error) {
	if c.ca == "" {
		return nil, nil // the system's
	}
	text, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", c.ca)
	}
	return roots, nil
}

// becomeClient is the client that the application's own pods are. It says which
// keys it has, and fails where the server knows others.
func (c *cluster) becomeClient(ctx context.Context, application *v1alpha1.FAPIApplication, files clientCredentials) (*flow.Client, string, error) {
	status, effective := application.Status, application.Status.Effective
	identity := flow.Identity{
		Issuer: status.Registration.Issuer, ClientID: status.ClientID, AuthMethod: effective.TokenEndpointAuthMethod,
		SignsRequests:        effective.RequireSignedRequestObject,
		WantsSignedResponses: application.Spec.MessageSigning != nil && application.Spec.MessageSigning.Responses == v1alpha1.MessageSigningRequired,
	}
	roots, err := files.roots()
	if err != nil {
		return nil, "", err
	}
	var outcomes []string
	for _, read := range []func(context.Context, *v1alpha1.FAPIApplication, clientCredentials, *flow.Identity) (string, error){
		c.readSigningKey, c.readDecryptionKeys, c.readClientCertificate, makeDPoPKey,
	} {
		outcome, err := read(ctx, application, files, &identity)
		if err != nil {
			return nil, "", err
		}
		if outcome != "" {
			outcomes = append(outcomes, outcome)
		}
	}
	return flow.New(identity, roots), strings.Join(outcomes, "; "), nil
}

// readSigningKey does nothing for a client that signs nothing.
func (c *cluster) readSigningKey(ctx context.Context, application *v1alpha1.FAPIApplication, files clientCredentials, identity *flow.Identity) (string, error) {
	if identity.AuthMethod != oauth.AuthPrivateKeyJWT && !identity.SignsRequests {
		return "", nil
	}
	text, from, err := c.privateJWK(ctx, application, files)
	if err != nil {
		return "", err
	}
	if identity.SigningKey, err = jose.ParsePrivateSigningKey(text); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	kid := identity.SigningKey.KeyID()
	registered := application.Status.Keys
	switch {
	case registered == nil || len(registered.KeyIDs) == 0:
		return fmt.Sprintf("key %q of %s; the server fetches the registered ones", kid, from), nil
	case !slices.Contains(registered.KeyIDs, kid):
		return "", &findingError{fmt.Sprintf("key %q of %s is not registered: the registered ones are %s", kid, from, strings.Join(registered.KeyIDs, ", "))}
	}
	return fmt.Sprintf("key %q of %s, for %s, is registered", kid, from, identity.SigningKey.Algorithm()), nil
}

func (c *cluster) privateJWK(ctx context.Context, application *v1alpha1.FAPIApplication, files clientCredentials) (text []byte, from string, err error) {
	if files.jwk != "" {
		text, err = os.ReadFile(files.jwk)
		return text, files.jwk, err
	}
	if keys := application.Status.Keys; keys != nil && keys.SecretName != "" {
		text, err = c.secretEntry(ctx, keys.SecretName, v1alpha1.PrivateJWKEntry)
		return text, "Secret " + keys.SecretName, err
	}
	return nil, "", errors.New("the operator does not keep this client's private key: name a file with --private-jwk")
}

// readDecryptionKeys reads those that the operator made.
func (c *cluster) readDecryptionKeys(ctx context.Context, application *v1alpha1.FAPIApplication, _ clientCredentials, identity *flow.Identity) (string, error) {
	keys := application.Status.Keys
	if keys == nil || keys.Managed == nil || len(keys.Managed.Decryption) == 0 {
		return "", nil
	}
	text, err := c.secretEntry(ctx, keys.SecretName, v1alpha1.DecryptionJWKSEntry)
	if err != nil {
		return "", err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return "", fmt.Errorf("%s of Secret %s: %w", v1alpha1.DecryptionJWKSEntry, keys.SecretName, err)
	}
	for _, encoded := range set.Keys {
		key, err := jose.ParsePrivateDecryptionKey(encoded)
		if err != nil {
			return "", fmt.Errorf("%s of Secret %s: %w", v1alpha1.DecryptionJWKSEntry, keys.SecretName, err)
		}
		identity.DecryptionKeys = append(identity.DecryptionKeys, key)
	}
	return fmt.Sprintf("%d keys for decryption", len(set.Keys)), nil
}

// readClientCertificate does nothing for a client that neither authenticates nor
// binds its tokens by one.
func (c *cluster) readClientCertificate(ctx context.Context, application *v1alpha1.FAPIApplication, files clientCredentials, identity *flow.Identity) (string, error) {
	if identity.AuthMethod == oauth.AuthPrivateKeyJWT && application.Status.Effective.SenderConstraint != v1alpha1.SenderConstraintMutualTLS {
		return "", nil
	}
	kept := application.Status.Certificate
	switch {
	case files.certificate != "" && files.key != "":
		pair, err := tls.LoadX509KeyPair(files.certificate, files.key)
		identity.Certificate = &pair
		return "certificate of " + files.certificate, err
	case files.certificate+files.key != "":
		return "", errors.New("--cert and --key go together")
	case kept == nil:
		return "", errors.New("the operator does not keep this client's certificate: name files with --cert and --key")
	}
	pair, err := c.keptCertificate(ctx, kept.SecretName)
	if err != nil {
		return "", err
	}
	identity.Certificate = pair
	if thumbprint := jose.CertificateThumbprint(pair.Leaf); thumbprint != kept.Thumbprint {
		return "", &findingError{fmt.Sprintf("the certificate of Secret %s has the thumbprint %s, and the operator has seen %s: is it being renewed?", kept.SecretName, thumbprint, kept.Thumbprint)}
	}
	return fmt.Sprintf("certificate of Secret %s, thumbprint %s", kept.SecretName, kept.Thumbprint), nil
}

func (c *cluster) keptCertificate(ctx context.Context, name string) (*tls.Certificate, error) {
	certificate, err := c.secretEntry(ctx, name, corev1.TLSCertKey)
	if err != nil {
		return nil, err
	}
	key, err := c.secretEntry(ctx, name, corev1.TLSPrivateKeyKey)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate of Secret %s: %w", name, err)
	}
	return &pair, nil
}

// makeDPoPKey makes one for this flow alone: it is registered nowhere (RFC 9449).
func makeDPoPKey(_ context.Context, application *v1alpha1.FAPIApplication, _ clientCredentials, identity *flow.Identity) (outcome string, err error) {
	if application.Status.Effective.SenderConstraint != v1alpha1.SenderConstraintDPoP {
		return "", nil
	}
	identity.DPoPKey, err = jose.GenerateSigningKey(jose.ES256)
	return "a new DPoP key", err
}

// secretEntry reads an entry of a Secret of the namespace, with the person's own rights.
func (c *cluster) secretEntry(ctx context.Context, name, entry string) ([]byte, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	if len(secret.Data[entry]) == 0 {
		return nil, fmt.Errorf("read Secret %s: it has no entry %s", name, entry)
	}
	return secret.Data[entry], nil
}
