package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// openClient is the client that the application's own pods would be: it knows the
// application's Secrets, and what its status says.
func (d *demo) openClient(ctx context.Context, application *v1alpha1.FAPIApplication) (*fapitest.Client, error) {
	status := application.Status
	identity := fapitest.Identity{
		ClientID:      status.ClientID,
		RedirectURI:   application.Spec.RedirectURIs[0],
		Scope:         strings.Join(status.Effective.Scopes, " "),
		AuthMethod:    status.Effective.TokenEndpointAuthMethod,
		SignsRequests: status.Effective.RequireSignedRequestObject,
		WantsJARM:     wantsSignedResponses(application),
	}
	if err := d.readKeys(ctx, application, &identity); err != nil {
		return nil, fmt.Errorf("become client %s: %w", status.ClientID, err)
	}
	return &fapitest.Client{Identity: identity, Issuer: status.Registration.Issuer, Roots: d.authority.pool(), Now: time.Now}, nil
}

// wantsSignedResponses tells whether the client is to ask for JARM.
func wantsSignedResponses(application *v1alpha1.FAPIApplication) bool {
	signing := application.Spec.MessageSigning
	return signing != nil && signing.Responses != ""
}

// readKeys reads the private keys; the one for DPoP is the client's own making.
func (d *demo) readKeys(ctx context.Context, application *v1alpha1.FAPIApplication, identity *fapitest.Identity) (err error) {
	status := application.Status
	if status.Keys != nil && status.Keys.SecretName != "" {
		if identity.SigningKey, err = d.readSigningKey(ctx, application, status.Keys.SecretName); err != nil {
			return err
		}
	}
	if status.Certificate != nil {
		if identity.Certificate, err = d.readCertificate(ctx, application, status.Certificate.SecretName); err != nil {
			return err
		}
	}
	if status.Effective.SenderConstraint == v1alpha1.SenderConstraintDPoP {
		identity.DPoPKey, err = jose.GenerateSigningKey(jose.ES256)
	}
	return err
}

func (d *demo) readSigningKey(ctx context.Context, application *v1alpha1.FAPIApplication, name string) (*jose.SigningKey, error) {
	data, err := d.readSecret(ctx, application, name)
	if err != nil {
		return nil, err
	}
	key, err := jose.ParsePrivateSigningKey(data[v1alpha1.PrivateJWKEntry])
	if err != nil {
		return nil, fmt.Errorf("read %s of Secret %s: %w", v1alpha1.PrivateJWKEntry, name, err)
	}
	return key, nil
}

func (d *demo) readCertificate(ctx context.Context, application *v1alpha1.FAPIApplication, name string) (*tls.Certificate, error) {
	data, err := d.readSecret(ctx, application, name)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("read the certificate of Secret %s: %w", name, err)
	}
	return &certificate, nil
}

func (d *demo) readSecret(ctx context.Context, application *v1alpha1.FAPIApplication, name string) (map[string][]byte, error) {
	secret := &corev1.Secret{}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: application.Namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	return secret.Data, nil
}
