package pgcluster

import (
	"fmt"
	"testing"
)

// standbyName is what the primary knows its standby by.
const standbyName = "standby"

// Standby starts a second server, to which the cluster streams all that it
// commits. It is synchronous: from now on a commit is acknowledged once it is on
// the standby's disk too. Its account and databases are the cluster's.
func (c *Cluster) Standby(t testing.TB) *Cluster {
	t.Helper()
	standby, err := prepare(t, c.durability, c.Password, Neighbors{})
	if err != nil {
		t.Fatalf("prepare the standby: %v", err)
	}
	t.Cleanup(func() {
		if err := standby.remove(); err != nil {
			t.Error(err)
		}
	})
	if err := standby.copyOf(c); err != nil {
		t.Fatalf("copy the primary: %v", err)
	}
	if err := standby.run(t.Context()); err != nil {
		t.Fatalf("start the standby: %v", err)
	}
	c.Exec(t, "ALTER SYSTEM SET synchronous_standby_names = '"+standbyName+"'", "SELECT pg_reload_conf()")
	c.maintenance().Await(t, "SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync')")
	return standby
}

// copyOf makes the data of a standby: --write-recovery-conf has it follow the primary.
func (c *Cluster) copyOf(primary *Cluster) error {
	source := fmt.Sprintf("host=%s port=%d user=%s password=%s application_name=%s",
		primary.Directory, primary.Port, User, primary.Password, standbyName)
	if err := c.command("pg_basebackup", "--pgdata", c.data, "--dbname", source,
		"--write-recovery-conf", "--checkpoint", "fast", "--no-sync"); err != nil {
		return err
	}
	return c.configure()
}

// Promote makes the standby a primary, and returns when it takes writes.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	if err := c.command("pg_ctl", "promote", "--pgdata", c.data); err != nil {
		t.Fatal(err)
	}
}

// maintenance is the database that every cluster has.
func (c *Cluster) maintenance() *Database { return &Database{Cluster: c, Name: "postgres", User: User} }
