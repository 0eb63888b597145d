package server

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/clientauth"
	"github.com/fapi-operator/fapi-operator/authserver/clientauth/jwksuri"
	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/dpop"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// parts are what the endpoints are made of.
type parts struct {
	*Server
	host       string // the name of the machine, which is the pod's
	startedAt  time.Time
	registry   *prometheus.Registry
	responder  *endpoint.Responder
	front      *endpoint.Front
	clients    *directory
	clientKeys *jwksuri.Source
	minter     *token.Minter
	verifier   *token.Verifier
	active     *endpoint.ActiveTokens
	users      *interaction.Users
	details    *authorizationdetails.Types
	ignored    *prometheus.CounterVec
}

func (s *Server) parts(ctx context.Context) (*parts, error) {
	encryption, err := s.readKeyEncryptionKeys()
	if err != nil {
		return nil, err
	}
	if s.custodian, err = OpenCustodian(s.config); err != nil {
		return nil, fmt.Errorf("open what keeps the signing keys: %w", err)
	}
	if s.keys, err = s.openKeys(ctx, encryption); err != nil {
		return nil, err
	}
	nonces, err := s.nonces(encryption)
	if err != nil {
		return nil, err
	}
	users, err := interaction.LoadUsers(s.config.Users.File)
	if err != nil {
		return nil, err
	}
	bundles, err := trustBundles(s.config.TrustBundles)
	if err != nil {
		return nil, err
	}
	details, err := authorizationdetails.Load(detailsTypes(s.config.AuthorizationDetailsTypes))
	if err != nil {
		return nil, err
	}
	clients, err := newDirectory(s.store, s.config.Limits(), s.log)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("find out the name of this host: %w", err)
	}
	p := &parts{
		Server: s, host: host, startedAt: s.now().UTC(), registry: prometheus.NewRegistry(), users: users, clients: clients, details: details,
		clientKeys: jwksuri.New(s.jwksURIConfig()),
		minter:     &token.Minter{Issuer: s.config.Issuer, Signer: s.keys.Signer, Now: s.now},
		verifier:   &token.Verifier{Issuer: s.config.Issuer, Keys: s.keys.PublicKeys, RefreshedKeys: s.keys.RefreshedPublicKeys, Now: s.now},
	}
	p.active = &endpoint.ActiveTokens{Grants: s.store, Clients: clients, KnowsPerson: p.knowsPerson}
	p.registry.MustRegister(s.keys)
	p.responder = endpoint.NewResponder(s.log, p.registry)
	p.ignored = mtls.NewIgnored(p.registry)
	p.front = p.newFront(&mtls.Verifier{Bundles: bundles, Now: s.now}, nonces)
	return p, nil
}

func (s *Server) openKeys(ctx context.Context, encryption keys.KeyEncryptionKeys) (*keys.Ring, error) {
	var inStore []jose.SignatureAlgorithm
	if s.config.Keys.PKCS11 != nil {
		inStore = s.config.Keys.PKCS11.AlgorithmsInStore
	}
	return keys.Open(ctx, keys.Config{
		Store: s.store, KeyEncryptionKeys: encryption, Custodian: s.custodian, InStore: inStore,
		Policy: s.rotation(), Now: s.now, Log: s.log,
	})
}

func (s *Server) readKeyEncryptionKeys() (keys.KeyEncryptionKeys, error) {
	encryption, err := keys.ReadKeyEncryptionKeys(s.config.KeyEncryptionKeyFile)
	if err == nil && encryption.ReadableByOthers() {
		s.log.Warn("the file of the key-encryption key can be read by others; mount it with mode 0400", "file", s.config.KeyEncryptionKeyFile)
	}
	return encryption, err
}

// nonces are those that DPoP proofs must have; nil when none is demanded. Their
// keys come from the one secret that all replicas share.
func (s *Server) nonces(encryption keys.KeyEncryptionKeys) (*dpop.Nonces, error) {
	if s.config.DPoP.Nonces != config.NoncesRequired {
		return nil, nil
	}
	secrets, err := encryption.Derive("DPoP nonce")
	if err != nil {
		return nil, err
	}
	return &dpop.Nonces{Keys: secrets, Lifetime: s.config.DPoP.NonceLifetime, Now: s.now}, nil
}

func (p *parts) newFront(certificates *mtls.Verifier, nonces *dpop.Nonces) *endpoint.Front {
	return &endpoint.Front{
		Authenticator: &clientauth.Authenticator{
			Issuer: p.config.Issuer, Clients: p.clients, Keys: p.clientKeys, Replay: p.store,
			VerifyCertificate: certificates.Verify, Now: p.now,
		},
		DPoP:     &dpop.Verifier{Replay: p.store, Nonces: nonces, Now: p.now},
		BaseURLs: []string{origin(p.config.Issuer), origin(p.config.MTLSBaseURL)},
	}
}

func (s *Server) jwksURIConfig() jwksuri.Config {
	networks := make([]netip.Prefix, 0, len(s.config.JWKSURI.AllowedCIDRs))
	for _, cidr := range s.config.JWKSURI.AllowedCIDRs {
		networks = append(networks, cidr.Prefix)
	}
	return jwksuri.Config{AllowedNetworks: networks, AllowedHosts: s.config.JWKSURI.AllowedHosts, Now: s.now}
}

// claims gives all that is known of a person.
func (p *parts) claims(_ context.Context, subject string) (map[string]any, error) {
	user, _ := p.users.BySubject(subject)
	encoded, err := json.Marshal(user.Claims)
	if err != nil {
		return nil, fmt.Errorf("encode a person's claims: %w", err)
	}
	claims := map[string]any{}
	return claims, json.Unmarshal(encoded, &claims)
}

// knowsPerson tells whether the subject is one of the users of today.
func (p *parts) knowsPerson(subject string) bool {
	_, known := p.users.BySubject(subject)
	return known
}

func detailsTypes(configured map[string]config.AuthorizationDetailsType) map[string]authorizationdetails.Declaration {
	declarations := make(map[string]authorizationdetails.Declaration, len(configured))
	for name, declared := range configured {
		declarations[name] = authorizationdetails.Declaration(declared)
	}
	return declarations
}

// trustBundles reads the PEM files of trust anchors, by name.
func trustBundles(files map[string]string) (map[string]*x509.CertPool, error) {
	bundles := make(map[string]*x509.CertPool, len(files))
	for name, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read trust bundle %s: %w", name, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("trust bundle %s: %s holds no certificate in PEM", name, file)
		}
		bundles[name] = pool
	}
	return bundles, nil
}
