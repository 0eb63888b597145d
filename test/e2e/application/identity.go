package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// client is the client with the keys and certificates as they are mounted now.
func (s settings) client() (*fapitest.Client, error) {
	identity := fapitest.Identity{
		ClientID: s.clientID, RedirectURI: s.redirectURI, Scope: s.scope, AuthMethod: s.authMethod,
		SignsRequests: s.signed, WantsJARM: s.signed,
	}
	if err := s.readKeys(&identity); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", s.caFile)
	}
	return &fapitest.Client{Identity: identity, Issuer: s.issuer, Roots: roots, Now: time.Now}, nil
}

func (s settings) readKeys(identity *fapitest.Identity) error {
	if s.keyFile != "" {
		text, err := os.ReadFile(s.keyFile)
		if err != nil {
			return err
		}
		if identity.SigningKey, err = jose.ParsePrivateSigningKey(text); err != nil {
			return fmt.Errorf("read %s: %w", s.keyFile, err)
		}
	}
	if s.certificates != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(s.certificates, "tls.crt"), filepath.Join(s.certificates, "tls.key"))
		if err != nil {
			return err
		}
		identity.Certificate = &pair
	}
	if !s.dpop {
		return nil
	}
	var err error
	identity.DPoPKey, err = jose.GenerateSigningKey(jose.ES256)
	return err
}

func (s settings) person() (fapitest.Person, error) {
	password, err := os.ReadFile(s.passwordFile)
	return fapitest.Person{Username: s.username, Password: strings.TrimSpace(string(password))}, err
}
