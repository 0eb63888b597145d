package storetest

import (
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var codeClauses = []clause{
	{"a code comes back with its grant, used or not", codeComesBack},
	{"a code lives until its expiry", codeExpires},
	{"redeeming keeps the refresh token in the same step", redeemKeepsRefresh},
	{"redeeming with another grant's refresh token redeems nothing", redeemWithOther},
	{"a replayed code is refused and its grant revoked", replayedCode},
	{"a replay is recognized again and again", replayedAgain},
	{"a replay is recognized after the code's expiry", replayedLate},
	{"of concurrent redemptions one wins, and the grant ends revoked", concurrentRedemption},
	{"an unknown code is not found", unknownCode},
}

func codeComesBack(c *contract) {
	grant, code := c.grant("grant")
	for _, used := range []bool{false, true} {
		code.Used = used
		readCode, readGrant, err := c.store.Code(c.ctx, code.Digest, c.now)
		c.succeeds(err)
		c.same(readCode, code)
		c.same(readGrant, grant)
		if !used {
			c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now))
		}
	}
}

func codeExpires(c *contract) {
	_, code := c.grant("grant")
	c.livesUntil(code.ExpiresAt, func(now time.Time) error {
		_, _, err := c.store.Code(c.ctx, code.Digest, now)
		return err
	})
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, nil, code.ExpiresAt), store.ErrNotFound)
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, nil, code.ExpiresAt.Add(tick)), store.ErrNotFound)
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, nil, code.ExpiresAt.Add(-tick)))
}

func redeemKeepsRefresh(c *contract) {
	grant, code := c.grant("grant")
	refresh := c.refreshOf(grant)
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now))
	for range 3 { // Refresh tokens are not rotated: FAPI 2.0 Security Profile, 5.3.2.1.
		readToken, readGrant, err := c.store.RefreshToken(c.ctx, refresh.Digest, c.now)
		c.succeeds(err)
		c.same(readToken, refresh)
		c.same(readGrant, grant)
	}
	c.livesUntil(refresh.ExpiresAt, func(now time.Time) error {
		_, _, err := c.store.RefreshToken(c.ctx, refresh.Digest, now)
		return err
	})
}

func redeemWithOther(c *contract) {
	other, _ := c.grant("other")
	_, code := c.grant("grant")
	refresh := c.refreshOf(other)
	if err := c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now); err == nil {
		c.Fatal("a refresh token of another grant was kept")
	}
	_, _, err := c.store.RefreshToken(c.ctx, refresh.Digest, c.now)
	c.fails(err, store.ErrNotFound)
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now))
}

func replayedCode(c *contract) {
	grant, code := c.grant("grant")
	other, _ := c.grant("other")
	refresh := c.refreshOf(grant)
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now))
	second := store.RefreshToken{Digest: d("second"), GrantID: grant.ID, ClientID: c.client, ExpiresAt: refresh.ExpiresAt}
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, &second, c.now), store.ErrAlreadyUsed)
	c.revoked(grant, refresh, second)
	c.active("jti", other.ID, true)
}

// revoked checks that a grant has ended with all that hangs on it.
func (c *contract) revoked(grant store.Grant, tokens ...store.RefreshToken) {
	c.Helper()
	_, err := c.store.Grant(c.ctx, grant.ID)
	c.fails(err, store.ErrNotFound)
	_, _, err = c.store.Code(c.ctx, d("code of "+grant.ID), c.now)
	c.fails(err, store.ErrNotFound)
	for _, token := range tokens {
		_, _, err = c.store.RefreshToken(c.ctx, token.Digest, c.now)
		c.fails(err, store.ErrNotFound)
	}
	c.active("jti of "+grant.ID, grant.ID, false)
}

func replayedAgain(c *contract) {
	grant, code := c.grant("grant")
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now))
	for range 3 {
		c.fails(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now), store.ErrAlreadyUsed)
		c.deleteExpired(code.ExpiresAt.Add(-tick))
	}
	c.revoked(grant)
}

func replayedLate(c *contract) {
	grant, code := c.grant("grant")
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now))
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, nil, code.ExpiresAt.Add(tick)), store.ErrAlreadyUsed)
	c.revoked(grant)
}

func concurrentRedemption(c *contract) {
	grant, code := c.grant("grant")
	c.oneWins(race(func(i int) error {
		refresh := store.RefreshToken{Digest: d(string(rune('A' + i))), GrantID: grant.ID, ClientID: c.client, ExpiresAt: c.now.Add(time.Hour)}
		return c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now)
	}), store.ErrAlreadyUsed)
	c.revoked(grant)
}

func unknownCode(c *contract) {
	c.fails(c.store.RedeemCode(c.ctx, d("nothing"), nil, c.now), store.ErrNotFound)
	_, _, err := c.store.Code(c.ctx, d("nothing"), c.now)
	c.fails(err, store.ErrNotFound)
}

var grantClauses = []clause{
	{"revoking ends refresh token, code and access tokens", revokeEndsAll},
	{"revoking what is gone is no error", revokeGone},
	{"a code that was not used ends with its grant", revokeUnusedCode},
	{"an access token ends alone", revokeAccessToken},
	{"an access token without grant is active until revoked", clientCredentials},
	{"a forgotten grant counts as revoked", forgottenGrant},
	{"a grant of no scope comes back", emptyScope},
}

func (c *contract) active(jti, grantID string, want bool) {
	c.Helper()
	active, err := c.store.AccessTokenActive(c.ctx, jti, grantID)
	c.succeeds(err)
	if active != want {
		c.Fatalf("access token %q of grant %q: active is %t, want %t", jti, grantID, active, want)
	}
}

func revokeEndsAll(c *contract) {
	grant, code := c.grant("grant")
	other, otherCode := c.grant("other")
	refresh, otherRefresh := c.refreshOf(grant), c.refreshOf(other)
	c.succeeds(c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now))
	c.succeeds(c.store.RedeemCode(c.ctx, otherCode.Digest, &otherRefresh, c.now))
	c.succeeds(c.store.RevokeGrant(c.ctx, grant.ID, c.now))
	c.revoked(grant, refresh)
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, nil, c.now), store.ErrAlreadyUsed)

	c.active("jti", other.ID, true)
	_, _, err := c.store.RefreshToken(c.ctx, otherRefresh.Digest, c.now)
	c.succeeds(err)
}

func revokeGone(c *contract) {
	grant, _ := c.grant("grant")
	c.succeeds(c.store.RevokeGrant(c.ctx, grant.ID, c.now))
	c.succeeds(c.store.RevokeGrant(c.ctx, grant.ID, c.now))
	c.succeeds(c.store.RevokeGrant(c.ctx, "never there", c.now))
	c.revoked(grant)
}

func revokeUnusedCode(c *contract) {
	grant, code := c.grant("grant")
	c.succeeds(c.store.RevokeGrant(c.ctx, grant.ID, c.now))
	refresh := c.refreshOf(grant)
	c.fails(c.store.RedeemCode(c.ctx, code.Digest, &refresh, c.now), store.ErrNotFound)
	c.revoked(grant, refresh)
}

func revokeAccessToken(c *contract) {
	grant, _ := c.grant("grant")
	expiry := c.now.Add(5 * time.Minute)
	c.active("one", grant.ID, true)
	for range 2 {
		c.succeeds(c.store.RevokeAccessToken(c.ctx, "one", expiry))
		c.active("one", grant.ID, false)
	}
	c.active("two", grant.ID, true)
	c.deleteExpired(expiry)
	c.active("one", grant.ID, false)
}

func clientCredentials(c *contract) {
	c.active("machine", "", true)
	c.succeeds(c.store.RevokeAccessToken(c.ctx, "machine", c.now.Add(time.Minute)))
	c.active("machine", "", false)
}

func forgottenGrant(c *contract) {
	c.active("jti", "never there", false)
	grant, _ := c.grant("grant")
	c.deleteExpired(grant.ExpiresAt.Add(tick))
	c.active("jti", grant.ID, false)
	_, err := c.store.Grant(c.ctx, grant.ID)
	c.fails(err, store.ErrNotFound)
}

func emptyScope(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	grant, code := c.grantOf("grant")
	grant.Scope = nil
	c.succeeds(c.store.CompleteAuthorization(c.ctx, d("visit"), grant, code, c.now))
	read, err := c.store.Grant(c.ctx, grant.ID)
	c.succeeds(err)
	c.same(read, grant)
}
