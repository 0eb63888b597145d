package controllers

import (
	"context"
	"sync"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// listingPage is the most clients that the registration API gives at once
// (authserver/endpoint/register/openapi.yaml).
const listingPage = 500

// listing is what the server held when all of it was last listed, kept up with
// what this operator has registered and deleted since. Comparing with it costs no
// request, and is as good as its age: the server may have changed since.
type listing struct {
	mutex sync.Mutex
	// held is by client identifier; nil before the first listing.
	held map[string]heldClient
	// revision is the server's at the listing, or of the latest registration since.
	revision int64
	// noted are the changes that were made while a listing was being read.
	noted map[string]heldClient
}

// heldClient is a client as the server of an issuer holds it; with
// registration.NoRevision, it holds none.
type heldClient struct {
	registration.Summary
	issuer string
}

// client is what the server was last known to hold; unknown before the first listing.
func (l *listing) client(clientID string) (client heldClient, known bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.held[clientID], l.held != nil
}

// note keeps what the server has just told of a client.
func (l *listing) note(record registration.Record) {
	l.change(record.ClientID, heldClient{record.Summary, record.Issuer})
}

// forget keeps that the server has just told that it holds no such client.
func (l *listing) forget(clientID string) { l.change(clientID, heldClient{}) }

func (l *listing) change(clientID string, client heldClient) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.noted == nil {
		l.noted = map[string]heldClient{}
	}
	l.noted[clientID] = client
	l.apply(clientID, client)
}

func (l *listing) apply(clientID string, client heldClient) {
	l.revision = max(l.revision, client.Revision)
	switch {
	case l.held == nil:
	case client.Revision == registration.NoRevision:
		delete(l.held, clientID)
	default:
		l.held[clientID] = client
	}
}

// count counts the clients of some owners.
func (l *listing) count(of func(registration.Owner) bool) (count int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, client := range l.held {
		if of(client.Owner) {
			count++
		}
	}
	return count
}

// isAt tells whether nothing has happened at the server since, by its revision.
func (l *listing) isAt(revision int64) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.held != nil && l.revision == revision
}

// read lists the server anew, page by page. When a page fails, what was known stays.
func (l *listing) read(ctx context.Context, server Registrar) error {
	l.mutex.Lock()
	l.noted = nil
	l.mutex.Unlock()
	held := map[string]heldClient{}
	var revision int64
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := server.List(ctx, cursor, listingPage)
		countCall("list", err)
		if err != nil {
			return err
		}
		if cursor == "" {
			revision = page.Revision
		}
		for _, summary := range page.Clients {
			held[summary.ClientID] = heldClient{summary, page.Issuer}
		}
		cursor = page.NextCursor
	}
	l.replace(held, revision)
	return nil
}

// replace takes the new listing, and on it what happened while it was read.
func (l *listing) replace(held map[string]heldClient, revision int64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.held, l.revision = held, revision
	for clientID, client := range l.noted {
		if client.Revision == registration.NoRevision || client.Revision > held[clientID].Revision {
			l.apply(clientID, client)
		}
	}
}
