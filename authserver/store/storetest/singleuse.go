package storetest

import (
	"errors"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var spaces = []store.Space{store.SpaceClientAssertion, store.SpaceDPoPProof}

var singleUseClauses = []clause{
	{"a value is fresh once in each space", freshOnce},
	{"of concurrent uses one is fresh", concurrentUse},
	{"a value is refused until it is deleted", refusedUntilDeleted},
	{"a replay does not prolong the memory of the value", replayKeepsExpiry},
}

func (c *contract) uses(space store.Space, value string, expiresAt time.Time, want bool) {
	c.Helper()
	fresh, err := c.store.UseOnce(c.ctx, space, d(value), expiresAt)
	c.succeeds(err)
	c.same(fresh, want)
}

func freshOnce(c *contract) {
	for _, want := range []bool{true, false, false} {
		for _, space := range spaces {
			c.uses(space, "jti", c.now.Add(time.Minute), want)
		}
	}
	c.uses(spaces[0], "other jti", c.now.Add(time.Minute), true)
}

func concurrentUse(c *contract) {
	replay := errors.New("replay")
	for _, space := range spaces {
		c.oneWins(race(func(int) error {
			fresh, err := c.store.UseOnce(c.ctx, space, d("jti"), c.now.Add(time.Minute))
			if err == nil && !fresh {
				return replay
			}
			return err
		}), replay)
	}
}

func refusedUntilDeleted(c *contract) {
	expiry := c.now.Add(time.Minute)
	c.uses(spaces[0], "jti", expiry, true)
	c.deleteExpired(expiry)
	c.uses(spaces[0], "jti", expiry.Add(time.Minute), false)
	c.deleteExpired(expiry.Add(tick))
	c.uses(spaces[0], "jti", expiry, true)
}

func replayKeepsExpiry(c *contract) {
	expiry := c.now.Add(time.Minute)
	c.uses(spaces[0], "jti", expiry, true)
	c.uses(spaces[0], "jti", expiry.Add(time.Hour), false)
	c.same(c.deleteExpired(expiry.Add(tick)), 1)
}
