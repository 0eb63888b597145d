package server

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// proxy is the configured one; nil without one.
func (p *parts) proxy() (*mtls.Proxy, error) {
	settings := p.config.Listeners.MTLS.Proxy
	if settings == nil {
		return nil, nil
	}
	proxies, err := listen.NewProxies(*settings, p.now, p.log)
	if err != nil {
		return nil, err
	}
	return &mtls.Proxy{Header: settings.Header, Owns: proxies.Own}, nil
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
