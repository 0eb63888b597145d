// Package jwksuri reads the key sets that clients publish at their jwks_uri
// (RFC 7591, 2). The addresses are the clients' own choice, so reading them is
// guarded: https alone, public networks alone, no redirects, little time and space.
package jwksuri

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Our own choices.
const (
	// freshFor is how long a key set is used without looking again.
	freshFor = 5 * time.Minute
	// usableFor is how long a key set is used while its address fails.
	usableFor = time.Hour
	// minInterval is the least time between two readings of one address,
	// whoever asks and however the first one ended.
	minInterval = 10 * time.Second
	// readTimeout bounds one reading, connection and handshake included.
	readTimeout = 5 * time.Second
	// maxCached bounds the number of key sets that are kept.
	maxCached = 10_000
)

// Config says what may be reached.
type Config struct {
	// AllowedNetworks are networks that may be reached although they are not public.
	AllowedNetworks []netip.Prefix
	// AllowedHosts are host names that may be reached whatever their addresses, in lower case.
	AllowedHosts []string
	// RootCAs verify the servers; nil means the system's.
	RootCAs *x509.CertPool
	Now     func() time.Time
}

// Source gives clients' keys. It is safe for concurrent use.
type Source struct {
	now    func() time.Time
	client *http.Client
	flight singleflight.Group

	mutex  sync.Mutex
	cached map[string]entry // by jwks_uri
}

// entry is what is known of one address.
type entry struct {
	keys   *jose.KeySet // nil before the first success
	readAt time.Time    // of keys
	// triedAt and fault are of the latest reading.
	triedAt time.Time
	fault   error
}

// New makes a Source with its own connections.
func New(config Config) *Source {
	transport := &http.Transport{
		DialContext:            newDialer(config).dialContext,
		TLSClientConfig:        &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        time.Minute,
	}
	return &Source{
		now:    config.Now,
		client: &http.Client{Transport: transport, Timeout: readTimeout, CheckRedirect: refuseRedirect},
		cached: map[string]entry{},
	}
}

// ClientKeys gives the client's keys: by value, or from its jwks_uri as KeySet does.
func (s *Source) ClientKeys(ctx context.Context, client *fapi.Client) (*jose.KeySet, error) {
	if uri := client.Metadata().JWKSURI; client.Keys() == nil && uri != "" {
		return s.KeySet(ctx, uri)
	}
	return client.Keys(), nil
}

// RefreshedClientKeys reads the jwks_uri again, as RefreshedKeySet does.
func (s *Source) RefreshedClientKeys(ctx context.Context, client *fapi.Client) (*jose.KeySet, error) {
	if uri := client.Metadata().JWKSURI; client.Keys() == nil && uri != "" {
		return s.RefreshedKeySet(ctx, uri)
	}
	return client.Keys(), nil
}

// KeySet gives the keys at the address, read at most every five minutes. While
// the address fails, the last keys serve for an hour.
func (s *Source) KeySet(ctx context.Context, uri string) (*jose.KeySet, error) {
	return s.keys(ctx, uri, freshFor)
}

// RefreshedKeySet reads the address again, because somebody uses a key that is
// not known yet; but not if it was read in the last ten seconds.
func (s *Source) RefreshedKeySet(ctx context.Context, uri string) (*jose.KeySet, error) {
	return s.keys(ctx, uri, minInterval)
}

// keys gives keys that are no older than maxAge, where they can be had.
func (s *Source) keys(ctx context.Context, uri string, maxAge time.Duration) (*jose.KeySet, error) {
	now := s.now()
	known := s.lookUp(uri)
	if known.keys != nil && now.Sub(known.readAt) < maxAge {
		return known.keys, nil
	}
	if known.triedWithin(minInterval, now) {
		return known.usable(now)
	}
	read, err := s.readOnce(ctx, uri)
	if err != nil {
		return nil, err
	}
	return read.usable(now)
}

func (e entry) triedWithin(interval time.Duration, now time.Time) bool {
	return !e.triedAt.IsZero() && now.Sub(e.triedAt) < interval
}

// usable gives the keys until they are too old to be believed.
func (e entry) usable(now time.Time) (*jose.KeySet, error) {
	if e.keys == nil || now.Sub(e.readAt) >= usableFor {
		return nil, e.fault
	}
	return e.keys, nil
}

// readOnce lets all who wait for one address share a reading, which goes on when
// one of them leaves.
func (s *Source) readOnce(ctx context.Context, uri string) (entry, error) {
	reading := s.flight.DoChan(uri, func() (any, error) {
		if known := s.lookUp(uri); known.triedWithin(minInterval, s.now()) { // by a reading that has just ended
			return known, nil
		}
		keys, err := s.read(context.WithoutCancel(ctx), uri)
		return s.keep(uri, keys, err), nil
	})
	select {
	case <-ctx.Done():
		return entry{}, ctx.Err()
	case result := <-reading:
		return result.Val.(entry), nil
	}
}

func (s *Source) lookUp(uri string) entry {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.cached[uri]
}

// keep notes how a reading ended; old keys stay when it failed.
func (s *Source) keep(uri string, keys *jose.KeySet, fault error) entry {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	updated, known := s.cached[uri]
	updated.triedAt, updated.fault = s.now(), fault
	if fault == nil {
		updated.keys, updated.readAt = keys, updated.triedAt
	}
	if !known && len(s.cached) >= maxCached {
		s.forgetOne()
	}
	s.cached[uri] = updated
	return updated
}

// forgetOne lets go of an entry of the map's own, random choice.
func (s *Source) forgetOne() {
	for uri := range s.cached {
		delete(s.cached, uri)
		return
	}
}
