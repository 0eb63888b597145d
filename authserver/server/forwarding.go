package server

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// openProxy gives the listener's configured proxy; nil without one.
func openProxy(listener config.MTLSListener, now func() time.Time, log *slog.Logger) (*mtls.Proxy, error) {
	if listener.Proxy == nil {
		return nil, nil
	}
	proxies, err := listen.NewProxies(*listener.Proxy, now, log)
	if err != nil {
		return nil, err
	}
	return &mtls.Proxy{Header: listener.Proxy.Header, Owns: proxies.Own}, nil
}

// forwarding stands before all routes of a listener, so that there is none that
// sees what clients forge.
func (p *parts) forwarding(proxy *mtls.Proxy, routes *http.ServeMux) *mtls.Forwarding {
	return &mtls.Forwarding{
		Proxy: proxy, Ignored: p.ignored,
		Refuse: func(w http.ResponseWriter, r *http.Request, refusal *oauth.Error) {
			_, r.Pattern = routes.Handler(r) // A refusal is counted by endpoint, and the request has not come to one.
			p.responder.Refuse(w, r, refusal)
		},
	}
}
