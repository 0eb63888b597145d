package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/server"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

// createKeyEncryptionKey makes the file that keyEncryptionKeyFile names, unless it
// is there: a start may run it every time, and no key is ever lost to it.
func createKeyEncryptionKey(_ context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	if len(arguments) == 0 {
		return errors.New("create-key-encryption-key: name the FILE to create")
	}
	path := arguments[0]
	if err := noMore(arguments[1:]); err != nil {
		return err
	}
	err := createOnce(path, func(unnamed string) error { return writeFlushed(unnamed, keys.GenerateKeyEncryptionKey()+"\n") })
	if errors.Is(err, errExists) {
		if _, err := keys.ReadKeyEncryptionKeys(path); err != nil {
			return fmt.Errorf("%w; the file was left as it was", err)
		}
		return tell(output, "%s holds a key-encryption key already, and was left as it was", path)
	}
	if err != nil {
		return fmt.Errorf("create the key-encryption key: %w", err)
	}
	return tell(output, "%s holds a new key-encryption key; keep a copy apart from the database's backups: neither is of use without the other", path)
}

func writeFlushed(path, content string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.WriteString(content); err != nil {
		return err
	}
	return file.Sync()
}

// backup copies the store to a new file, while the server may be at work.
func backup(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	set := newFlags("backup")
	to := set.String("to", "", "the `FILE` to make")
	settings, err := settingsOf(set, arguments)
	if err != nil {
		return err
	}
	if *to == "" {
		return errors.New("backup: --to FILE is missing: name the file to make")
	}
	if err := requireSQLite("backup", settings); err != nil {
		return err
	}
	from := settings.Store.SQLite.Path
	if err := createOnce(*to, func(unnamed string) error { return sqlite.Backup(ctx, from, unnamed) }); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return tell(output, "%s is a whole copy of %s; it opens only with the key-encryption key, which is not in it", *to, from)
}

// migrate brings the store's schema up to date and ends, as a start of the server
// would. No server may be at work on it.
func migrate(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	settings, err := settingsOf(newFlags("migrate"), arguments)
	if err != nil {
		return err
	}
	if settings.Store.Postgres != nil {
		return migratePostgres(ctx, settings, output)
	}
	path := settings.Store.SQLite.Path
	opened, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	version, _, err := opened.SchemaVersion(ctx)
	if err := errors.Join(err, opened.Close()); err != nil {
		return err
	}
	return tell(output, "%s has schema version %d", path, version)
}

// migratePostgres also serves beside running servers of the version before.
func migratePostgres(ctx context.Context, settings config.Config, output io.Writer) error {
	opened, err := server.OpenStore(ctx, settings.Store)
	if err != nil {
		return err
	}
	if err := opened.Close(); err != nil {
		return err
	}
	return tell(output, "the database %s has the newest schema", settings.Store.Postgres.Database)
}

// requireSQLite says what to do instead where the state is in PostgreSQL.
func requireSQLite(command string, settings config.Config) error {
	if settings.Store.Postgres == nil {
		return nil
	}
	return fmt.Errorf("%s: the state is in PostgreSQL, and this command reads SQLite files; use the database's own tools (docs/store.md)", command)
}

// checkStore reads the whole store, also beside the server, and tells everything
// that is wrong with it.
func checkStore(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	return reading(ctx, "check", arguments, func(settings config.Config, kept *sqlite.Store) error {
		return errors.Join(
			tellSchema(ctx, kept, settings.Store.SQLite.Path, output),
			tellIntegrity(ctx, kept, output),
			tellKeys(ctx, kept, settings.KeyEncryptionKeyFile, output),
		)
	})
}

// reading runs a command on the store of its configuration, which is only read.
func reading(ctx context.Context, name string, arguments []string, do func(config.Config, *sqlite.Store) error) error {
	settings, err := settingsOf(newFlags(name), arguments)
	if err != nil {
		return err
	}
	if err := requireSQLite(name, settings); err != nil {
		return err
	}
	kept, err := sqlite.OpenReadOnly(ctx, settings.Store.SQLite.Path)
	if err != nil {
		return err
	}
	return errors.Join(do(settings, kept), kept.Close())
}

func tellSchema(ctx context.Context, kept *sqlite.Store, path string, output io.Writer) error {
	version, known, err := kept.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if version < known {
		return tell(output, "%s has schema version %d; migrate, or the next start of this server, brings it to %d", path, version, known)
	}
	return tell(output, "%s has schema version %d, the newest", path, version)
}

func tellIntegrity(ctx context.Context, kept *sqlite.Store, output io.Writer) error {
	if err := kept.CheckIntegrity(ctx); err != nil {
		return err
	}
	return tell(output, "the database is sound")
}

func tellKeys(ctx context.Context, kept store.ServerKeys, file string, output io.Writer) error {
	encryption, err := keys.ReadKeyEncryptionKeys(file)
	if err != nil {
		return err
	}
	found, err := keys.Check(ctx, kept, encryption)
	if err != nil {
		return err
	}
	return tell(output, "%s opens every one of the %d server keys", file, found)
}

// clientPage is how many clients are read at a time; our own choice.
const clientPage = 200

// checkClients tells which registered clients the rule book of today refuses, and
// why. It may be run beside the server, with the program that is to replace it.
func checkClients(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	return reading(ctx, "check-clients", arguments, func(settings config.Config, kept *sqlite.Store) error {
		checked, refused, err := judgeClients(ctx, kept, settings.Limits(), output)
		if err != nil {
			return err
		}
		if refused > 0 {
			return fmt.Errorf("%d of %d registered clients break rules, and get no service from this version; see above", refused, checked)
		}
		return tell(output, "all %d registered clients keep the rules", checked)
	})
}

func judgeClients(ctx context.Context, kept store.Clients, limits fapi.Limits, output io.Writer) (checked, refused int, err error) {
	after := ""
	for {
		page, err := kept.ListClients(ctx, after, clientPage)
		if err != nil || len(page) == 0 {
			return checked, refused, err
		}
		for _, record := range page {
			keeps, err := judgeClient(record, limits, output)
			if err != nil {
				return checked, refused, err
			}
			checked++
			if !keeps {
				refused++
			}
			after = record.Metadata.ClientID
		}
	}
}

func judgeClient(record store.ClientRecord, limits fapi.Limits, output io.Writer) (keeps bool, err error) {
	_, violations := fapi.AdmitClient(record.Metadata, limits)
	if len(violations) == 0 {
		return true, nil
	}
	if err := tell(output, "%s (of %s) breaks %d:", record.Metadata.ClientID, record.Owner, len(violations)); err != nil {
		return false, err
	}
	for _, violation := range violations {
		if err := tell(output, "  %s", violation); err != nil {
			return false, err
		}
	}
	return false, nil
}
