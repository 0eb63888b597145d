package storetest

import (
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var serverKeyClauses = []clause{
	{"keys come back, oldest first", keysComeBack},
	{"an id is taken once", keyIDTaken},
	{"a key is deleted", keyDeleted},
}

func (c *contract) serverKey(id string, age time.Duration) store.ServerKey {
	return store.ServerKey{ID: id, Use: "sig", Algorithm: "ES256", Sealed: []byte("sealed " + id + "\x00\xff"), CreatedAt: c.now.Add(-age)}
}

func keysComeBack(c *contract) {
	none, err := c.store.ServerKeys(c.ctx)
	c.succeeds(err)
	c.same(len(none), 0)
	old, middle, young := c.serverKey("b", 3*time.Hour), c.serverKey("c", 2*time.Hour), c.serverKey("a", time.Hour)
	for _, key := range []store.ServerKey{middle, young, old} {
		c.succeeds(c.store.AddServerKey(c.ctx, key))
	}
	keys, err := c.store.ServerKeys(c.ctx)
	c.succeeds(err)
	c.same(keys, []store.ServerKey{old, middle, young})
}

func keyIDTaken(c *contract) {
	c.oneWins(race(func(i int) error {
		return c.store.AddServerKey(c.ctx, c.serverKey("one", time.Duration(i)*time.Second))
	}), store.ErrAlreadyExists)
	keys, err := c.store.ServerKeys(c.ctx)
	c.succeeds(err)
	c.same(len(keys), 1)
}

func keyDeleted(c *contract) {
	c.succeeds(c.store.AddServerKey(c.ctx, c.serverKey("one", 0)))
	c.succeeds(c.store.AddServerKey(c.ctx, c.serverKey("two", 0)))
	for range 2 {
		c.succeeds(c.store.DeleteServerKey(c.ctx, "one"))
	}
	keys, err := c.store.ServerKeys(c.ctx)
	c.succeeds(err)
	c.same(keys, []store.ServerKey{c.serverKey("two", 0)})
}
