package storetest

import (
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var pushedRequestClauses = []clause{
	{"a request comes back any number of times", requestComesBack},
	{"a request is given to its own client alone", requestOfAnother},
	{"a request lives until its expiry", requestExpires},
	{"a request_uri is pushed once", requestTwice},
	{"a request without a registered client is refused", requestOfNobody},
}

func requestComesBack(c *contract) {
	pushed := c.push("request")
	for range 3 {
		read, err := c.store.PushedRequest(c.ctx, pushed.URI, c.client, c.now)
		c.succeeds(err)
		c.same(read, pushed)
	}
}

func requestOfAnother(c *contract) {
	c.register("bank.app")
	pushed := c.push("request")
	_, err := c.store.PushedRequest(c.ctx, pushed.URI, "bank.app", c.now)
	c.fails(err, store.ErrNotFound)
	_, err = c.store.PushedRequest(c.ctx, d("another"), c.client, c.now)
	c.fails(err, store.ErrNotFound)
}

func requestExpires(c *contract) {
	pushed := c.push("request")
	c.livesUntil(pushed.ExpiresAt, func(now time.Time) error {
		_, err := c.store.PushedRequest(c.ctx, pushed.URI, c.client, now)
		return err
	})
}

// livesUntil checks one tick before expiry, exactly at it, and one tick after.
func (c *contract) livesUntil(expiry time.Time, read func(now time.Time) error) {
	c.Helper()
	c.succeeds(read(expiry.Add(-tick)))
	c.fails(read(expiry), store.ErrNotFound)
	c.fails(read(expiry.Add(tick)), store.ErrNotFound)
}

func requestTwice(c *contract) {
	pushed := c.push("request")
	c.fails(c.store.PushRequest(c.ctx, pushed), store.ErrAlreadyExists)
}

func requestOfNobody(c *contract) {
	c.client = "nobody"
	request := store.PushedRequest{URI: d("request"), Request: c.request(), ExpiresAt: c.now.Add(time.Minute)}
	c.fails(c.store.PushRequest(c.ctx, request), store.ErrNotFound)
}

var interactionClauses = []clause{
	{"an interaction comes back", interactionComesBack},
	{"an interaction lives until its expiry", interactionExpires},
	{"an interaction needs a pushed request and its own id", interactionRefused},
	{"a request has so many interactions and no more", interactionsBounded},
	{"an interaction takes over the login of a session that is there", interactionInSession},
	{"a login is recorded", loginRecorded},
	{"completing consumes the request, ends all interactions over it, and keeps grant and code", completes},
	{"completing works after the request_uri has expired", completesLate},
	{"completing is refused once the interaction has expired", completesTooLate},
	{"completing is all or nothing", completesWhole},
	{"of concurrent completions one wins", concurrentCompletion},
	{"refusing consumes the request without a grant", refuses},
	{"of concurrent refusals and completions one wins", concurrentRefusal},
}

func interactionsBounded(c *contract) {
	c.push("request")
	for i := range store.MaxInteractions {
		c.interact(fmt.Sprint("visit ", i), "request")
	}
	c.push("other request")
	more := c.interact("visit of another request", "other request")
	more.ID, more.RequestURI = d("one more"), d("request")
	c.fails(c.store.BeginInteraction(c.ctx, more, nil), store.ErrTooMany)
}

func interactionComesBack(c *contract) {
	c.push("request")
	begun := c.interact("visit", "request")
	read, err := c.store.Interaction(c.ctx, begun.ID, c.now)
	c.succeeds(err)
	c.same(read, begun)

	authentication := c.authentication()
	loggedIn := store.Interaction{ID: d("second"), RequestURI: d("request"), Request: c.request(),
		Authentication: &authentication, ExpiresAt: c.now.Add(time.Minute)}
	c.succeeds(c.store.BeginInteraction(c.ctx, loggedIn, nil))
	read, err = c.store.Interaction(c.ctx, loggedIn.ID, c.now)
	c.succeeds(err)
	c.same(read, loggedIn)
}

func interactionExpires(c *contract) {
	c.push("request")
	begun := c.interact("visit", "request")
	c.livesUntil(begun.ExpiresAt, func(now time.Time) error {
		_, err := c.store.Interaction(c.ctx, begun.ID, now)
		return err
	})
	c.livesUntil(begun.ExpiresAt, func(now time.Time) error {
		return c.store.AuthenticateInteraction(c.ctx, begun.ID, c.authentication(), now)
	})
}

func interactionRefused(c *contract) {
	c.push("request")
	begun := c.interact("visit", "request")
	c.fails(c.store.BeginInteraction(c.ctx, begun, nil), store.ErrAlreadyExists)
	begun.ID, begun.RequestURI = d("other"), d("no request")
	c.fails(c.store.BeginInteraction(c.ctx, begun, nil), store.ErrNotFound)
	_, err := c.store.Interaction(c.ctx, d("other"), c.now)
	c.fails(err, store.ErrNotFound)
}

func interactionInSession(c *contract) {
	c.push("request")
	authentication := c.authentication()
	session := store.Session{ID: d("browser"), Authentication: authentication, ExpiresAt: c.now.Add(time.Hour)}
	c.succeeds(c.store.BeginSession(c.ctx, session))
	visit := store.Interaction{ID: d("visit"), RequestURI: d("request"), Request: c.request(),
		Authentication: &authentication, ExpiresAt: c.now.Add(time.Minute)}
	c.succeeds(c.store.BeginInteraction(c.ctx, visit, &session.ID))
	read, err := c.store.Interaction(c.ctx, visit.ID, c.now)
	c.succeeds(err)
	c.same(read, visit)

	c.succeeds(c.store.EndSession(c.ctx, session.ID))
	for i := range store.MaxInteractions { // What is refused is not counted either.
		visit.ID = d(fmt.Sprint("later visit ", i))
		c.fails(c.store.BeginInteraction(c.ctx, visit, &session.ID), store.ErrSessionEnded)
		_, err = c.store.Interaction(c.ctx, visit.ID, c.now)
		c.fails(err, store.ErrNotFound)
	}
	c.succeeds(c.store.BeginInteraction(c.ctx, visit, nil))
}

func loginRecorded(c *contract) {
	c.push("request")
	begun := c.interact("visit", "request")
	authentication := c.authentication()
	c.succeeds(c.store.AuthenticateInteraction(c.ctx, begun.ID, authentication, c.now))
	begun.Authentication = &authentication
	read, err := c.store.Interaction(c.ctx, begun.ID, c.now)
	c.succeeds(err)
	c.same(read, begun)
	c.fails(c.store.AuthenticateInteraction(c.ctx, d("nobody"), authentication, c.now), store.ErrNotFound)
}

func completes(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.interact("other tab", "request")
	grant, code := c.grantOf("grant")
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("visit"), grant, code, c.now))

	read, err := c.store.Grant(c.ctx, grant.ID)
	c.succeeds(err)
	c.same(read, grant)
	readCode, _, err := c.store.Code(c.ctx, code.Digest, c.now)
	c.succeeds(err)
	c.same(readCode, code)
	c.consumed("request", "visit", "other tab")
}

// consumed checks that nothing can be done any more over a pushed request.
func (c *contract) consumed(request string, interactions ...string) {
	c.Helper()
	_, err := c.store.PushedRequest(c.ctx, d(request), c.client, c.now)
	c.fails(err, store.ErrNotFound)
	for _, name := range interactions {
		_, err := c.store.Interaction(c.ctx, d(name), c.now)
		c.fails(err, store.ErrNotFound)
		c.fails(c.store.AuthenticateInteraction(c.ctx, d(name), c.authentication(), c.now), store.ErrNotFound)
		replayed, code := c.grantOf("replayed " + name)
		c.fails(c.store.CompleteAuthorization(c.ctx, d(name), replayed, code, c.now), store.ErrAlreadyUsed)
		c.fails(c.store.RefuseAuthorization(c.ctx, d(name), c.now), store.ErrAlreadyUsed)
		_, err = c.store.Grant(c.ctx, replayed.ID)
		c.fails(err, store.ErrNotFound)
	}
}

func completesLate(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.interact("other tab", "request")
	late := c.now.Add(20 * time.Minute)
	c.deleteExpired(late)
	grant, code := c.grantOf("grant")
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("visit"), grant, code, late))
	c.deleteExpired(late)
	c.fails(c.store.CompleteAuthorization(c.ctx, d("other tab"), grant, code, late), store.ErrAlreadyUsed)
}

func completesTooLate(c *contract) {
	c.push("request")
	begun := c.interact("visit", "request")
	grant, code := c.grantOf("grant")
	for _, now := range []time.Time{begun.ExpiresAt, begun.ExpiresAt.Add(tick)} {
		c.fails(c.store.CompleteAuthorization(c.ctx, begun.ID, grant, code, now), store.ErrNotFound)
		c.fails(c.store.RefuseAuthorization(c.ctx, begun.ID, now), store.ErrNotFound)
	}
	c.fails(c.store.CompleteAuthorization(c.ctx, d("nobody"), grant, code, c.now), store.ErrNotFound)
	c.succeeds(c.store.CompleteAuthorization(c.ctx, begun.ID, grant, code, begun.ExpiresAt.Add(-tick)))
}

func completesWhole(c *contract) {
	_, taken := c.grant("earlier")
	c.push("request")
	begun := c.interact("visit", "request")
	grant, code := c.grantOf("grant")
	code.Digest = taken.Digest
	c.fails(c.store.CompleteAuthorization(c.ctx, begun.ID, grant, code, c.now), store.ErrAlreadyExists)
	_, err := c.store.Grant(c.ctx, grant.ID)
	c.fails(err, store.ErrNotFound)
	read, err := c.store.Interaction(c.ctx, begun.ID, c.now)
	c.succeeds(err)
	c.same(read, begun)
}

func concurrentCompletion(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.interact("other tab", "request")
	names := []string{"visit", "other tab"}
	c.oneWins(race(func(i int) error {
		grant, code := c.grantOf(string(rune('A' + i)))
		return c.store.CompleteAuthorization(c.ctx, d(names[i%2]), grant, code, c.now)
	}), store.ErrAlreadyUsed)
}

func refuses(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.interact("other tab", "request")
	c.succeeds(c.store.RefuseAuthorization(c.ctx, d("visit"), c.now))
	c.consumed("request", "visit", "other tab")
	c.fails(c.store.RefuseAuthorization(c.ctx, d("nobody"), c.now), store.ErrNotFound)
}

func concurrentRefusal(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.oneWins(race(func(i int) error {
		if i%2 == 0 {
			return c.store.RefuseAuthorization(c.ctx, d("visit"), c.now)
		}
		grant, code := c.grantOf(string(rune('A' + i)))
		return c.store.CompleteAuthorization(c.ctx, d("visit"), grant, code, c.now)
	}), store.ErrAlreadyUsed)
}

var sessionClauses = []clause{
	{"a session lives until its expiry", sessionExpires},
	{"a session ends", sessionEnds},
}

func (c *contract) session(name string) store.Session {
	c.Helper()
	session := store.Session{ID: d(name), Authentication: c.authentication(), ExpiresAt: c.now.Add(time.Hour)}
	c.succeeds(c.store.BeginSession(c.ctx, session))
	return session
}

func sessionExpires(c *contract) {
	begun := c.session("browser")
	read, err := c.store.Session(c.ctx, begun.ID, c.now)
	c.succeeds(err)
	c.same(read, begun)
	c.livesUntil(begun.ExpiresAt, func(now time.Time) error {
		_, err := c.store.Session(c.ctx, begun.ID, now)
		return err
	})
	c.fails(c.store.BeginSession(c.ctx, begun), store.ErrAlreadyExists)
}

func sessionEnds(c *contract) {
	begun, other := c.session("browser"), c.session("other browser")
	for range 2 {
		c.succeeds(c.store.EndSession(c.ctx, begun.ID))
		_, err := c.store.Session(c.ctx, begun.ID, c.now)
		c.fails(err, store.ErrNotFound)
	}
	_, err := c.store.Session(c.ctx, other.ID, c.now)
	c.succeeds(err)
}
