package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var administrationClauses = []clause{
	{"grants are listed in pages, by id", grantsAreListed},
	{"grants are listed by person, by client, and by both", grantsAreFiltered},
	{"what has expired or was revoked is not listed", onlyGrantsInForce},
	{"of many revocations of a grant one has ended it", revokedOnce},
	{"revoking a person's grants ends all that hangs on them, and no other's", revokeSubject},
	{"revoking a client's grants ends all that hangs on them, and no other's", revokeClient},
	{"a grant that has expired and is not forgotten is revoked as well", revokeExpired},
	{"revocation goes in bounded batches", revokeInBatches},
	{"a person's sessions end, and no other's", endSessions},
	{"a person's interactions end, and lead to no grant", endInteractions},
	{"no interaction of a person begins over a session that is being ended", noneBegins},
	{"nobody's interaction is nobody's", interactionOfNobody},
}

// grantFor takes a request of the client and the person to its grant.
func (c *contract) grantFor(id, clientID, subject string) store.Grant {
	c.Helper()
	request := c.request()
	request.ClientID = clientID
	c.succeeds(c.store.PushRequest(c.ctx, store.PushedRequest{URI: d("request of " + id), Request: request, ExpiresAt: c.now.Add(time.Minute)}))
	c.interact("interaction of "+id, "request of "+id)
	grant, code := c.grantOf(id)
	grant.Request, grant.Authentication.Subject, code.ClientID = request, subject, clientID
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("interaction of "+id), grant, code, c.now))
	return grant
}

// redeemed keeps a refresh token of the grant.
func (c *contract) redeemed(grant store.Grant) store.RefreshToken {
	c.Helper()
	refresh := c.refreshOf(grant)
	refresh.ClientID = grant.Request.ClientID
	c.succeeds(c.store.RedeemCode(c.ctx, d("code of "+grant.ID), &refresh, c.now))
	return refresh
}

// inForce checks that a grant goes on with its refresh token.
func (c *contract) inForce(grant store.Grant, refresh store.RefreshToken) {
	c.Helper()
	c.active("jti", grant.ID, true)
	_, read, err := c.store.RefreshToken(c.ctx, refresh.Digest, c.now)
	c.succeeds(err)
	c.same(read, grant)
}

// listed gives every grant of the filter, in pages.
func (c *contract) listed(filter store.GrantFilter, pageSize int) []store.Grant {
	c.Helper()
	var all []store.Grant
	after := ""
	for {
		page, err := c.store.ListGrants(c.ctx, filter, after, pageSize, c.now)
		c.succeeds(err)
		if len(page) > pageSize {
			c.Fatalf("a page of %d holds %d", pageSize, len(page))
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		after = page[len(page)-1].ID
	}
}

func grantsAreListed(c *contract) {
	var want []store.Grant
	for _, id := range []string{"e", "b", "d", "a", "c"} {
		grant, _ := c.grant(id)
		want = append(want, grant)
	}
	slices.SortFunc(want, func(a, b store.Grant) int { return int(a.ID[0]) - int(b.ID[0]) })
	for pageSize := 1; pageSize <= 6; pageSize++ {
		c.same(c.listed(store.GrantFilter{}, pageSize), want)
	}
}

func grantsAreFiltered(c *contract) {
	c.register("bank.other")
	grants := map[string]store.Grant{}
	for i, whose := range [][2]string{{"bank.web", "alice"}, {"bank.web", "bob"}, {"bank.other", "alice"}, {"bank.web", "alice"}} {
		id := fmt.Sprint(i)
		grants[id] = c.grantFor(id, whose[0], whose[1])
	}
	for _, test := range []struct {
		filter store.GrantFilter
		want   []string
	}{
		{store.GrantFilter{Subject: "alice"}, []string{"0", "2", "3"}},
		{store.GrantFilter{ClientID: "bank.web"}, []string{"0", "1", "3"}},
		{store.GrantFilter{Subject: "alice", ClientID: "bank.web"}, []string{"0", "3"}},
		{store.GrantFilter{Subject: "bob", ClientID: "bank.other"}, nil},
		{store.GrantFilter{Subject: "ALICE"}, nil},
		{store.GrantFilter{Subject: "ali%"}, nil},
	} {
		var want []store.Grant
		for _, id := range test.want {
			want = append(want, grants[id])
		}
		for _, pageSize := range []int{1, 2, 10} {
			c.same(c.listed(test.filter, pageSize), want)
		}
	}
}

func onlyGrantsInForce(c *contract) {
	revoked, _ := c.grant("revoked")
	live, _ := c.grant("live")
	c.succeeds(c.store.RevokeGrant(c.ctx, revoked.ID, c.now))
	for _, filter := range []store.GrantFilter{{}, {Subject: "alice"}, {ClientID: c.client}, {Subject: "alice", ClientID: c.client}} {
		c.same(c.listed(filter, 10), []store.Grant{live})
		c.livesUntil(live.ExpiresAt, func(now time.Time) error {
			page, err := c.store.ListGrants(c.ctx, filter, "", 10, now)
			if err == nil && len(page) == 0 {
				err = store.ErrNotFound
			}
			return err
		})
	}
}

func revokedOnce(c *contract) {
	grant, _ := c.grant("grant")
	refresh := c.redeemed(grant)
	c.oneWins(race(func(int) error {
		ended, err := c.store.RevokeGrantOnce(c.ctx, grant.ID, c.now)
		if err == nil && !ended {
			err = store.ErrAlreadyUsed
		}
		return err
	}), store.ErrAlreadyUsed)
	c.revoked(grant, refresh)
	ended, err := c.store.RevokeGrantOnce(c.ctx, "never there", c.now)
	c.succeeds(err)
	c.same(ended, false)
}

func revokeSubject(c *contract) {
	c.register("bank.other")
	c.revokesAll(
		[]store.Grant{c.grantFor("a", c.client, "alice"), c.grantFor("b", "bank.other", "alice")},
		[]store.Grant{c.grantFor("c", c.client, "bob"), c.grantFor("d", c.client, "alice2")},
		func() (int, error) { return c.store.RevokeGrantsOfSubject(c.ctx, "alice", 10, c.now) })
}

func revokeClient(c *contract) {
	c.register("bank.other")
	c.revokesAll(
		[]store.Grant{c.grantFor("a", c.client, "alice"), c.grantFor("b", c.client, "bob")},
		[]store.Grant{c.grantFor("c", "bank.other", "alice")},
		func() (int, error) { return c.store.RevokeGrantsOfClient(c.ctx, c.client, 10, c.now) })
	_, err := c.store.Client(c.ctx, c.client)
	c.succeeds(err)
}

// revokesAll checks that the revocation ends some grants, redeemed or not, counts
// them once, and leaves others alone.
func (c *contract) revokesAll(ended, others []store.Grant, revoke func() (int, error)) {
	c.Helper()
	refresh := c.redeemed(ended[0])
	kept := map[string]store.RefreshToken{}
	for _, other := range others {
		kept[other.ID] = c.redeemed(other)
	}
	for _, want := range []int{len(ended), 0} {
		count, err := revoke()
		c.succeeds(err)
		c.same(count, want)
	}
	c.revoked(ended[0], refresh)
	for _, grant := range ended[1:] {
		c.revoked(grant)
		c.fails(c.store.RedeemCode(c.ctx, d("code of "+grant.ID), nil, c.now), store.ErrNotFound)
	}
	for _, other := range others {
		c.inForce(other, kept[other.ID])
	}
}

func revokeExpired(c *contract) {
	grant, _ := c.grant("grant")
	c.active("jti", grant.ID, true)
	count, err := c.store.RevokeGrantsOfSubject(c.ctx, "alice", 10, grant.ExpiresAt.Add(time.Hour))
	c.succeeds(err)
	c.same(count, 1)
	c.active("jti", grant.ID, false)
}

func revokeInBatches(c *contract) {
	const grants, limit = 5, 2
	batches := map[string]func() (int, error){
		"subject": func() (int, error) { return c.store.RevokeGrantsOfSubject(c.ctx, "alice", limit, c.now) },
		"client":  func() (int, error) { return c.store.RevokeGrantsOfClient(c.ctx, c.client, limit, c.now) },
		"sessions": func() (int, error) {
			return c.store.EndSessionsOfSubject(c.ctx, "alice", limit)
		},
	}
	for name, batch := range batches {
		for i := range grants {
			c.grant(fmt.Sprint(name, i))
			c.session(fmt.Sprint("session ", name, i))
		}
		for _, want := range []int{2, 2, 1, 0} {
			count, err := batch()
			c.succeeds(err)
			c.same(count, want)
		}
		_, err := c.store.RevokeGrantsOfSubject(c.ctx, "alice", 100, c.now)
		c.succeeds(err)
		_, err = c.store.EndSessionsOfSubject(c.ctx, "alice", 100)
		c.succeeds(err)
	}
	for _, limit := range []int{0, -1} {
		_, grantsErr := c.store.RevokeGrantsOfSubject(c.ctx, "alice", limit, c.now)
		_, clientErr := c.store.RevokeGrantsOfClient(c.ctx, c.client, limit, c.now)
		_, sessionsErr := c.store.EndSessionsOfSubject(c.ctx, "alice", limit)
		_, interactionsErr := c.store.EndInteractionsOfSubject(c.ctx, "alice", limit)
		for _, err := range []error{grantsErr, clientErr, sessionsErr, interactionsErr} {
			if err == nil {
				c.Errorf("a batch of %d was accepted", limit)
			}
		}
	}
}

func endSessions(c *contract) {
	one, two := c.session("browser"), c.session("other browser")
	bob := store.Session{ID: d("bob's browser"), Authentication: store.Authentication{Subject: "bob"}, ExpiresAt: c.now.Add(time.Hour)}
	c.succeeds(c.store.BeginSession(c.ctx, bob))
	for _, want := range []int{2, 0} {
		count, err := c.store.EndSessionsOfSubject(c.ctx, "alice", 10)
		c.succeeds(err)
		c.same(count, want)
	}
	for _, ended := range []store.Session{one, two} {
		_, err := c.store.Session(c.ctx, ended.ID, c.now)
		c.fails(err, store.ErrNotFound)
	}
	_, err := c.store.Session(c.ctx, bob.ID, c.now)
	c.succeeds(err)
}

func endInteractions(c *contract) {
	authentication := c.authentication()
	c.push("decided request")
	c.interact("decided", "decided request")
	c.succeeds(c.store.AuthenticateInteraction(c.ctx, d("decided"), authentication, c.now))
	c.succeeds(c.store.RefuseAuthorization(c.ctx, d("decided"), c.now))
	for _, name := range []string{"alice's", "bob's"} {
		c.push("request of " + name)
		c.interact(name, "request of "+name)
		c.succeeds(c.store.AuthenticateInteraction(c.ctx, d(name), authentication, c.now))
		authentication.Subject = "bob"
	}
	for _, want := range []int{1, 0} {
		count, err := c.store.EndInteractionsOfSubject(c.ctx, "alice", 10)
		c.succeeds(err)
		c.same(count, want)
	}
	grant, code := c.grantOf("grant")
	c.fails(c.store.CompleteAuthorization(c.ctx, d("alice's"), grant, code, c.now), store.ErrNotFound)
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("bob's"), grant, code, c.now))
}

func interactionOfNobody(c *contract) {
	c.push("request")
	visit := c.interact("visit", "request")
	for _, subject := range []string{"alice", "", "null"} {
		count, err := c.store.EndInteractionsOfSubject(c.ctx, subject, 10)
		c.succeeds(err)
		c.same(count, 0)
	}
	_, err := c.store.Interaction(c.ctx, visit.ID, c.now)
	c.succeeds(err)
}

// noneBegins ends sessions, and then interactions, while many interactions begin
// over them: those that have begun have ended too.
func noneBegins(c *contract) {
	authentication := c.authentication()
	authentication.Subject = "~alice"
	for round := range 5 {
		session := store.Session{ID: d(fmt.Sprint("browser ", round)), Authentication: authentication, ExpiresAt: c.now.Add(time.Hour)}
		c.succeeds(c.store.BeginSession(c.ctx, session))
		visit := func(i int) store.Interaction {
			return store.Interaction{ID: d(fmt.Sprint("visit ", round, i)), RequestURI: d(fmt.Sprint("request ", round, i)),
				Request: c.request(), Authentication: &authentication, ExpiresAt: c.now.Add(time.Minute)}
		}
		for i := range racers {
			c.push(fmt.Sprint("request ", round, i))
		}
		errs := race(func(i int) error {
			if i != racers/2 {
				return c.store.BeginInteraction(c.ctx, visit(i), &session.ID)
			}
			if _, err := c.store.EndSessionsOfSubject(c.ctx, "~alice", 100); err != nil {
				return err
			}
			_, err := c.store.EndInteractionsOfSubject(c.ctx, "~alice", 100)
			return err
		})
		for i, err := range errs {
			if err != nil {
				c.fails(err, store.ErrSessionEnded)
			}
			_, err := c.store.Interaction(c.ctx, visit(i).ID, c.now)
			c.fails(err, store.ErrNotFound)
		}
	}
}
