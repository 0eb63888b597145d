package fapitest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

// Files of a server's store.
const (
	databaseFile         = "authserver.db"
	keyEncryptionKeyFile = "key-encryption-key"
)

// seed is what the store holds once a server has started for the first time: its
// keys, and nothing else. Making RSA keys takes longer than most tests, so that
// the servers of one process begin with the same ones.
type seed struct{ database, keyEncryptionKey []byte }

var makeSeed = sync.OnceValues(func() (_ seed, err error) {
	directory, err := os.MkdirTemp("", "fapitest")
	if err != nil {
		return seed{}, err
	}
	defer func() { _ = os.RemoveAll(directory) }() // The system's own directory for what nobody needs any more.
	made := seed{keyEncryptionKey: []byte(keys.GenerateKeyEncryptionKey() + "\n")}
	path := filepath.Join(directory, keyEncryptionKeyFile)
	if err := os.WriteFile(path, made.keyEncryptionKey, 0o600); err != nil {
		return seed{}, err
	}
	if err := fillWithKeys(filepath.Join(directory, databaseFile), path); err != nil {
		return seed{}, err
	}
	made.database, err = os.ReadFile(filepath.Join(directory, databaseFile))
	return made, err
})

// fillWithKeys makes the database, with the keys of a server.
func fillWithKeys(database, keyEncryptionKey string) (err error) {
	encryption, err := keys.ReadKeyEncryptionKeys(keyEncryptionKey)
	if err != nil {
		return err
	}
	store, err := sqlite.Open(context.Background(), database)
	if err != nil {
		return err
	}
	_, err = keys.Open(context.Background(), keys.Config{
		Store: store, KeyEncryptionKeys: encryption, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		// The first keys do not depend on it; the servers go on with their own.
		Policy: keys.Policy{Interval: 24 * time.Hour, Takeover: time.Hour, SignatureRetention: time.Hour, EncryptionRetention: time.Hour},
	})
	if err != nil {
		_ = store.Close() // The first error says more.
		return err
	}
	return store.Close()
}

// writeStore writes the seed into the directory of a server, and gives the file of
// the key-encryption key.
func writeStore(t testing.TB, directory string) string {
	t.Helper()
	seed, err := makeSeed()
	if err != nil {
		t.Fatalf("make the keys of the servers: %v", err)
	}
	testca.WriteFile(t, directory, databaseFile, seed.database)
	return testca.WriteFile(t, directory, keyEncryptionKeyFile, seed.keyEncryptionKey)
}

// ForgetSeed gives a server that was not started yet keys that no other has.
func (s *Server) ForgetSeed(t testing.TB) {
	t.Helper()
	directory := filepath.Dir(s.KeyEncryptionKeyFile)
	if err := os.Remove(filepath.Join(directory, databaseFile)); err != nil {
		t.Fatal(err)
	}
	testca.WriteFile(t, directory, keyEncryptionKeyFile, []byte(keys.GenerateKeyEncryptionKey()+"\n"))
}
