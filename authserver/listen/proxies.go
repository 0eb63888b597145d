package listen

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
)

// Proxies knows the proxies that may forward clients' certificates to the mtls
// listener. That listener verifies no certificate in the handshake, since clients'
// are judged one by one.
type Proxies struct {
	names       Names
	authorities *reloaded[*x509.CertPool]
	now         func() time.Time
	log         *slog.Logger
}

// NewProxies reads the authorities that issue the proxies' certificates.
func NewProxies(settings config.Proxy, now func() time.Time, log *slog.Logger) (*Proxies, error) {
	authorities, err := newReloaded([]string{settings.ClientCAFile}, parsePool, now, log)
	if err != nil {
		return nil, fmt.Errorf("mtls listener's proxy: %w", err)
	}
	return &Proxies{names: settings.SANs, authorities: authorities, now: now, log: log}, nil
}

// Own tells whether what was presented in the handshake is the certificate of a
// proxy, as of now and by the authorities of today, also on a session that was
// resumed. Who carries none of the names costs no signature to be verified.
func (p *Proxies) Own(presented []*x509.Certificate) bool {
	if len(presented) == 0 || !p.names.In(presented[0]) {
		return false
	}
	intermediates := x509.NewCertPool()
	for _, certificate := range presented[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := presented[0].Verify(x509.VerifyOptions{
		Roots: p.authorities.current(), Intermediates: intermediates, CurrentTime: p.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		p.log.Info("a certificate with a proxy's name is not of listeners.mtls.proxy.clientCAFile; its owner counts as a client",
			"names", strings.Join(names(presented[0]), ", "), "cause", err)
	}
	return err == nil
}
