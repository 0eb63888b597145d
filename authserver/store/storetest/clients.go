package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var clientClauses = []clause{
	{"a client comes back as it was stated", clientComesBack},
	{"an unknown client is not found", unknownClient},
	{"a name that no database can hold is not found", impossibleName},
	{"a repeated write changes nothing", repeatedWrite},
	{"a changed generation or content gives a new revision", changedWrite},
	{"another owner is refused, by name", ownedByAnother},
	{"a client is taken over from the owner that is named, with its grants", takenOver},
	{"MustNotExist refuses a client that exists", mustNotExist},
	{"MatchRevision refuses another revision, and absence", matchRevision},
	{"of concurrent creations one wins", concurrentCreation},
	{"concurrent updates from one revision: one wins", concurrentUpdate},
	{"revisions only grow, also over deletions", revisionsGrow},
	{"registration and suspension begin an epoch, and no other change does", epochs},
	{"revoking a key ends the client's grants and epoch once, and no other client's", revokedKeys},
	{"a thousand clients are listed by pages, in order", listPages},
	{"an installation's clients are listed without any other's", listInstallations},
	{"a client without id is refused", withoutID},
	{"an origin is listed while an active client lists it", originsListed},
	{"deletion takes everything of the client and nothing of others", deletionCascades},
	{"a deleted client gets nothing new", nothingForDeleted},
}

func clientComesBack(c *contract) {
	write := c.write("bank.app", 7, "https://app.example")
	record, created, err := c.store.PutClient(c.ctx, write)
	c.succeeds(err)
	hash, err := registration.ContentHash(write.Metadata)
	c.succeeds(err)
	c.same(created, true)
	c.same(record, store.ClientRecord{
		Owner: owner, Generation: 7, Revision: record.Revision, ContentHash: hash, Metadata: write.Metadata, UpdatedAt: c.now,
		Epoch: record.Revision,
	})
	read, err := c.store.Client(c.ctx, "bank.app")
	c.succeeds(err)
	c.same(read, record)
	if read.UpdatedAt.Location() != time.UTC {
		c.Errorf("the time is in %s, want UTC", read.UpdatedAt.Location())
	}
}

func epochs(c *contract) {
	generation := int64(1)
	put := func(suspended bool) store.ClientRecord {
		c.Helper()
		generation++
		write := c.write(c.client, generation)
		write.Metadata.Suspended = &suspended
		record, _, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
		read, err := c.store.Client(c.ctx, c.client)
		c.succeeds(err)
		c.same(read, record)
		return record
	}
	registered, err := c.store.Client(c.ctx, c.client)
	c.succeeds(err)
	c.same(registered.Epoch, registered.Revision)
	c.same(put(false).Epoch, registered.Epoch)
	suspended := put(true)
	c.same(suspended.Epoch, suspended.Revision)
	c.same(put(true).Epoch, suspended.Epoch)
	c.same(put(false).Epoch, suspended.Epoch)
	again := put(true)
	c.same(again.Epoch, again.Revision)
	c.succeeds(c.store.DeleteClient(c.ctx, c.client, owner, c.now))
	anew := put(false)
	c.same(anew.Epoch, anew.Revision)
}

func revokedKeys(c *contract) {
	before, err := c.store.Client(c.ctx, c.client)
	c.succeeds(err)
	generation := before.Generation
	put := func(revoked ...string) store.ClientRecord {
		c.Helper()
		generation++
		write := c.write(c.client, generation)
		write.Metadata.RevokedKeyIDs = revoked
		record, _, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
		read, err := c.store.Client(c.ctx, c.client)
		c.succeeds(err)
		c.same(read, record)
		return record
	}
	c.register("bank.other")
	ended, unredeemed := c.grantFor("a", c.client, "alice"), c.grantFor("b", c.client, "bob")
	other := c.grantFor("c", "bank.other", "alice")
	refresh, kept := c.redeemed(ended), c.redeemed(other)
	c.same(put().Epoch, before.Epoch)
	c.inForce(ended, refresh)

	revoking := put("first")
	c.same(revoking.Epoch, revoking.Revision)
	c.revoked(ended, refresh)
	c.revoked(unredeemed)
	c.fails(c.store.RedeemCode(c.ctx, d("code of b"), nil, c.now), store.ErrNotFound)
	c.inForce(other, kept)
	c.same(c.listed(store.GrantFilter{ClientID: c.client}, 10), []store.Grant(nil))

	later := c.grantFor("d", c.client, "alice")
	refresh = c.redeemed(later)
	c.same(put("first").Epoch, revoking.Epoch)
	c.same(put().Epoch, revoking.Epoch)
	c.inForce(later, refresh)
	again := put("first", "second")
	c.same(again.Epoch, again.Revision)
	c.revoked(later, refresh)
}

func unknownClient(c *contract) {
	_, err := c.store.Client(c.ctx, "nobody")
	c.fails(err, store.ErrNotFound)
	c.fails(c.store.DeleteClient(c.ctx, "nobody", owner, c.now), store.ErrNotFound)
}

// A client_id, origin or jti comes as the caller sends it.
func impossibleName(c *contract) {
	for _, name := range []string{"\x00", "bank\x00.web", "\xff", "bank.\xc3"} {
		_, err := c.store.Client(c.ctx, name)
		c.fails(err, store.ErrNotFound)
		c.fails(c.store.DeleteClient(c.ctx, name, owner, c.now), store.ErrNotFound)
		_, err = c.store.PushedRequest(c.ctx, d("request"), name, c.now)
		c.fails(err, store.ErrNotFound)
		_, err = c.store.Grant(c.ctx, name)
		c.fails(err, store.ErrNotFound)
		c.active(name, name, false)
		listed, err := c.store.OriginListed(c.ctx, "https://"+name)
		c.succeeds(err)
		c.same(listed, false)
	}
}

func repeatedWrite(c *contract) {
	first := c.register("bank.app")
	for _, write := range []store.ClientWrite{
		c.write("bank.app", 1),
		{Owner: owner, Generation: 1, Metadata: first.Metadata, Now: c.now.Add(time.Hour)},
		{Owner: owner, Generation: 1, Metadata: first.Metadata, Now: c.now, MustNotExist: true},
		{Owner: owner, Generation: 1, Metadata: first.Metadata, Now: c.now, MatchRevision: first.Revision + 10},
	} {
		again, created, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
		c.same(created, false)
		c.same(again, first)
	}
	revision, err := c.store.ClientRevision(c.ctx)
	c.succeeds(err)
	c.same(revision, first.Revision)
}

func changedWrite(c *contract) {
	first := c.register("bank.app")
	generation := c.write("bank.app", 1)
	generation.Generation = 2
	content := c.write("bank.app", 1)
	content.Generation, content.Metadata.ClientName = 2, "Renamed"
	last := first
	for _, write := range []store.ClientWrite{generation, content} {
		record, created, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
		c.same(created, false)
		if record.Revision <= last.Revision {
			c.Errorf("revision %d after %d", record.Revision, last.Revision)
		}
		last = record
		read, err := c.store.Client(c.ctx, "bank.app")
		c.succeeds(err)
		c.same(read, record)
	}
}

func ownedByAnother(c *contract) {
	before := c.register("bank.app")
	intruder := registration.Owner{Installation: "prod", Namespace: "evil", Name: "web"}
	for _, change := range []func(*store.ClientWrite){
		func(*store.ClientWrite) {},
		func(w *store.ClientWrite) { w.MustNotExist = true },
		func(w *store.ClientWrite) { w.MatchRevision = before.Revision },
		func(w *store.ClientWrite) { w.Generation = 2 },
	} {
		write := c.write("bank.app", 1)
		write.Owner = intruder
		change(&write)
		_, _, err := c.store.PutClient(c.ctx, write)
		c.namesOwner(err)
	}
	c.namesOwner(c.store.DeleteClient(c.ctx, "bank.app", intruder, c.now))
	after, err := c.store.Client(c.ctx, "bank.app")
	c.succeeds(err)
	c.same(after, before)
}

func takenOver(c *contract) {
	before := c.register("bank.app")
	grant := c.grantFor("consent", "bank.app", "alice")
	refresh := c.redeemed(grant)
	heir := registration.Owner{Installation: "prod", Namespace: "bank-two", Name: "web"}
	write := c.write("bank.app", 1)
	write.Owner, write.PreviousOwner = heir, registration.Owner{Installation: "prod", Namespace: "another", Name: "web"}
	_, _, err := c.store.PutClient(c.ctx, write)
	c.namesOwner(err)

	write.PreviousOwner = owner
	for range 2 { // The second time, an answer was lost.
		after, created, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
		c.same(created, false)
		c.same(after.Owner, heir)
		c.same(after.Revision, before.Revision+1)
		c.same(after.Epoch, before.Epoch)
	}
	c.inForce(grant, refresh)
	_, _, err = c.store.PutClient(c.ctx, c.write("bank.app", 2))
	var owned *store.OwnedByAnotherError
	if !errors.As(err, &owned) || owned.Owner != heir {
		c.Fatalf("the previous owner's next write: %v", err)
	}
}

func (c *contract) namesOwner(err error) {
	c.Helper()
	var owned *store.OwnedByAnotherError
	if !errors.As(err, &owned) {
		c.Fatalf("got error %v, want *OwnedByAnotherError", err)
	}
	c.same(owned.Owner, owner)
}

func mustNotExist(c *contract) {
	write := c.write("bank.app", 1)
	write.MustNotExist = true
	_, created, err := c.store.PutClient(c.ctx, write)
	c.succeeds(err)
	c.same(created, true)
	write = c.write("bank.app", 2)
	write.MustNotExist = true
	_, _, err = c.store.PutClient(c.ctx, write)
	c.fails(err, store.ErrPreconditionFailed)
}

func matchRevision(c *contract) {
	absent := c.write("bank.app", 1)
	absent.MatchRevision = 1
	_, _, err := c.store.PutClient(c.ctx, absent)
	c.fails(err, store.ErrPreconditionFailed)

	first := c.register("bank.app")
	for generation, revision := range map[int64]int64{2: first.Revision - 1, 3: first.Revision + 1} {
		write := c.write("bank.app", generation)
		write.MatchRevision = revision
		_, _, err := c.store.PutClient(c.ctx, write)
		c.fails(err, store.ErrPreconditionFailed)
	}
	write := c.write("bank.app", 2)
	write.MatchRevision = first.Revision
	_, _, err = c.store.PutClient(c.ctx, write)
	c.succeeds(err)
}

func concurrentCreation(c *contract) {
	c.oneWins(race(func(i int) error {
		write := c.write("bank.app", int64(i+1))
		write.MustNotExist = true
		_, _, err := c.store.PutClient(c.ctx, write)
		return err
	}), store.ErrPreconditionFailed)
}

func concurrentUpdate(c *contract) {
	first := c.register("bank.app")
	c.oneWins(race(func(i int) error {
		write := c.write("bank.app", int64(i+2))
		write.MatchRevision = first.Revision
		_, _, err := c.store.PutClient(c.ctx, write)
		return err
	}), store.ErrPreconditionFailed)
}

func revisionsGrow(c *contract) {
	last, err := c.store.ClientRevision(c.ctx)
	c.succeeds(err)
	grown := func() {
		c.Helper()
		revision, err := c.store.ClientRevision(c.ctx)
		c.succeeds(err)
		if revision <= last {
			c.Fatalf("revision %d after %d", revision, last)
		}
		last = revision
	}
	for range 3 {
		record := c.register("bank.app")
		grown()
		c.same(record.Revision, last)
		c.succeeds(c.store.DeleteClient(c.ctx, "bank.app", owner, c.now))
		grown()
	}
}

func listPages(c *contract) {
	c.succeeds(c.store.DeleteClient(c.ctx, c.client, owner, c.now))
	const clients = 1000
	errs := race(func(racer int) error {
		for i := racer; i < clients; i += racers {
			if _, _, err := c.store.PutClient(c.ctx, c.write(fmt.Sprintf("client-%04d", i), 1)); err != nil {
				return err
			}
		}
		return nil
	})
	c.succeeds(errors.Join(errs...))
	for _, size := range []int{1, 7, 999, 1000, 1001} {
		c.same(len(listAll(c, anyInstallation, size)), clients)
	}
	_, err := c.store.ListClients(c.ctx, anyInstallation, "", 0)
	if err == nil {
		c.Error("a page of 0 clients was listed")
	}
}

// listAll lists the installations' clients page by page.
func listAll(c *contract, of registration.Installations, size int) []string {
	c.Helper()
	var ids []string
	after := ""
	for {
		page, err := c.store.ListClients(c.ctx, of, after, size)
		c.succeeds(err)
		if len(page) == 0 {
			break
		}
		if len(page) > size {
			c.Fatalf("a page of %d, want at most %d", len(page), size)
		}
		for _, record := range page {
			ids = append(ids, record.Metadata.ClientID)
		}
		after = ids[len(ids)-1]
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		c.Fatal("the listing is out of order or repeats a client")
	}
	return ids
}

var anyInstallation = registration.Installations{Any: true}

func listInstallations(c *contract) {
	c.succeeds(c.store.DeleteClient(c.ctx, c.client, owner, c.now))
	for i, installation := range []string{"east", "west", "east", "north", "west"} {
		write := c.write(fmt.Sprintf("client-%d", i), 1)
		write.Owner.Installation = installation
		_, _, err := c.store.PutClient(c.ctx, write)
		c.succeeds(err)
	}
	for _, size := range []int{1, 2, 5} {
		c.same(listAll(c, registration.Installations{Named: []string{"west"}}, size), []string{"client-1", "client-4"})
		c.same(listAll(c, registration.Installations{Named: []string{"west", "north", "south"}}, size), []string{"client-1", "client-3", "client-4"})
		c.same(len(listAll(c, registration.Installations{Any: true, Named: []string{"west"}}, size)), 5)
		c.same(len(listAll(c, registration.Installations{Named: []string{`wes_`, `"west"`, "WEST"}}, size)), 0)
		c.same(len(listAll(c, registration.Installations{}, size)), 0)
	}
}

func withoutID(c *contract) {
	if _, _, err := c.store.PutClient(c.ctx, c.write("", 1)); err == nil {
		c.Error("a client without client_id was kept")
	}
}

func originsListed(c *contract) {
	listed := func(origin string, want bool) {
		c.Helper()
		got, err := c.store.OriginListed(c.ctx, origin)
		c.succeeds(err)
		c.same(got, want)
	}
	const app, shared = "https://app.example", "https://shared.example"
	listed(app, false)
	c.register("bank.app", app, shared, shared)
	c.register("bank.other", shared)
	listed(app, true)
	listed(shared, true)
	listed("https://APP.example", false)
	listed("https://app.exampl_", false)

	suspended := c.write("bank.app", 2, app, shared)
	suspended.Metadata.Suspended = new(true)
	_, _, err := c.store.PutClient(c.ctx, suspended)
	c.succeeds(err)
	listed(app, false)
	listed(shared, true)

	_, _, err = c.store.PutClient(c.ctx, c.write("bank.app", 3, "https://new.example"))
	c.succeeds(err)
	listed(app, false)
	listed("https://new.example", true)
	c.succeeds(c.store.DeleteClient(c.ctx, "bank.app", owner, c.now))
	listed("https://new.example", false)
	listed(shared, true)
}

func deletionCascades(c *contract) {
	kept, keptCode := c.grant("kept")
	mine := c.client
	c.client = "bank.doomed"
	c.register(c.client)
	gone, goneCode := c.grant("gone")
	refresh := c.refreshOf(gone)
	c.succeeds(c.store.RedeemCode(c.ctx, goneCode.Digest, &refresh, c.now))
	c.push("pending")
	c.interact("visit", "pending")

	c.succeeds(c.store.DeleteClient(c.ctx, c.client, owner, c.now))

	_, err := c.store.Grant(c.ctx, gone.ID)
	c.fails(err, store.ErrNotFound)
	_, _, err = c.store.Code(c.ctx, goneCode.Digest, c.now)
	c.fails(err, store.ErrNotFound)
	_, _, err = c.store.RefreshToken(c.ctx, refresh.Digest, c.now)
	c.fails(err, store.ErrNotFound)
	_, err = c.store.PushedRequest(c.ctx, d("pending"), c.client, c.now)
	c.fails(err, store.ErrNotFound)
	_, err = c.store.Interaction(c.ctx, d("visit"), c.now)
	c.fails(err, store.ErrNotFound)
	c.active("jti", gone.ID, false)

	c.client = mine
	c.active("jti", kept.ID, true)
	c.succeeds(c.store.RedeemCode(c.ctx, keptCode.Digest, nil, c.now))
}

func nothingForDeleted(c *contract) {
	c.push("request")
	c.interact("visit", "request")
	c.succeeds(c.store.DeleteClient(c.ctx, c.client, owner, c.now))

	c.fails(c.store.PushRequest(c.ctx, store.PushedRequest{URI: d("other"), Request: c.request(), ExpiresAt: c.now.Add(time.Minute)}), store.ErrNotFound)
	grant, code := c.grantOf("late")
	c.fails(c.store.CompleteAuthorization(c.ctx, d("visit"), grant, code, c.now), store.ErrNotFound)
	_, err := c.store.Grant(c.ctx, "late")
	c.fails(err, store.ErrNotFound)
}
