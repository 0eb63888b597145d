package storetest

import (
	"context"
	"fmt"
	"time"
)

var expiryClauses = []clause{
	{"nothing is deleted that has not expired", deletesNothingAlive},
	{"every class is deleted after its expiry", deletesEveryClass},
	{"a revoked grant goes with its code", deletesRevokedGrants},
	{"deletion goes in bounded batches", deletesInBatches},
	{"a store answers, and says when the caller has gone", answers},
}

// deleteExpired deletes until nothing is left to delete, and gives the sum.
func (c *contract) deleteExpired(now time.Time) int {
	c.Helper()
	total := 0
	for {
		deleted, err := c.store.DeleteExpired(c.ctx, now, 100)
		c.succeeds(err)
		if deleted == 0 {
			return total
		}
		total += deleted
	}
}

// everyClass keeps one record of each class that expires, all of them at the
// same time: a pushed request, an interaction, a session, a grant with its code and
// refresh token, a revoked access token and a single-use value.
func (c *contract) everyClass() (expiry time.Time, records int) {
	c.Helper()
	expiry = c.now.Add(time.Hour)
	request := c.push("request")
	request.URI, request.ExpiresAt = d("pending"), expiry
	c.succeeds(c.store.PushRequest(c.ctx, request))
	interaction := c.interact("visit", "request")
	interaction.ID, interaction.ExpiresAt = d("pending visit"), expiry
	c.succeeds(c.store.BeginInteraction(c.ctx, interaction, nil))
	session := c.session("browser")
	session.ID, session.ExpiresAt = d("browser at expiry"), expiry
	c.succeeds(c.store.EndSession(c.ctx, d("browser")))
	c.succeeds(c.store.BeginSession(c.ctx, session))
	grant, code := c.grantOf("grant")
	grant.ExpiresAt, code.ExpiresAt = expiry, expiry
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("pending visit"), grant, code, c.now))
	refresh := c.refreshOf(grant)
	refresh.ExpiresAt = expiry
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now))
	c.succeeds(c.store.RevokeAccessToken(c.ctx, "jti", expiry))
	c.uses(spaces[0], "jti", expiry, true)
	// 2 pushed requests, 2 interactions, session, grant, code, refresh token, revoked access token, single-use value.
	return expiry, 10
}

func deletesNothingAlive(c *contract) {
	expiry, _ := c.everyClass()
	c.same(c.deleteExpired(c.now), 0)
	c.same(c.deleteExpired(expiry), 1) // The interaction of 30 minutes.
}

func deletesEveryClass(c *contract) {
	expiry, records := c.everyClass()
	c.same(c.deleteExpired(expiry.Add(tick)), records)
	_, err := c.store.Client(c.ctx, c.client)
	c.succeeds(err)
}

func deletesRevokedGrants(c *contract) {
	grant, code := c.grant("grant")
	c.succeeds(c.store.RevokeGrant(c.ctx, grant.ID, c.now))
	c.deleteExpired(code.ExpiresAt.Add(tick))
	grant.ExpiresAt = c.now.Add(48 * time.Hour)
	// The identifier is free again: the row is gone long before the grant's own expiry.
	c.push("another request")
	c.interact("another visit", "another request")
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("another visit"), grant, code, c.now))
}

func deletesInBatches(c *contract) {
	const values, limit = 25, 10
	for i := range values {
		c.uses(spaces[0], fmt.Sprint(i), c.now, true)
	}
	for _, want := range []int{10, 10, 5, 0} {
		deleted, err := c.store.DeleteExpired(c.ctx, c.now.Add(tick), limit)
		c.succeeds(err)
		c.same(deleted, want)
	}
	if _, err := c.store.DeleteExpired(c.ctx, c.now, 0); err == nil {
		c.Error("a batch of 0 was accepted")
	}
}

func answers(c *contract) {
	c.succeeds(c.store.Ping(c.ctx))
	gone, leave := context.WithCancel(c.ctx)
	leave()
	c.fails(c.store.Ping(gone), context.Canceled)
}
