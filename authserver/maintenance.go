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
	"github.com/fapi-operator/fapi-operator/authserver/registration"
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
	if settings.Store.Postgres != nil {
		return errors.New("backup: the state is in PostgreSQL, which is backed up while the servers run by tools of its own: pg_basebackup with the write-ahead log, or pg_dump (docs/store.md)")
	}
	from := settings.Store.SQLite.Path
	if err := createOnce(*to, func(unnamed string) error { return sqlite.Backup(ctx, from, unnamed) }); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return tell(output, "%s is a whole copy of %s; it opens only with the key-encryption key, which is not in it", *to, from)
}

// migrate brings the store's schema up to date and ends, as a start of the server
// would. A SQLite file must have no server at work on it; PostgreSQL may have
// servers of the version before.
func migrate(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	settings, err := settingsOf(newFlags("migrate"), arguments)
	if err != nil {
		return err
	}
	opened, err := server.OpenStore(ctx, settings.Store)
	if err != nil {
		return err
	}
	if err := opened.Close(); err != nil {
		return err
	}
	return examine(ctx, settings, func(kept store.Examined) error { return tellSchema(ctx, kept, settings.Store, output) })
}

// checkStore reads the store, also beside servers, and tells everything that is
// wrong with it.
func checkStore(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	settings, err := settingsOf(newFlags("check"), arguments)
	if err != nil {
		return err
	}
	return examine(ctx, settings, func(kept store.Examined) error {
		return errors.Join(
			tellSchema(ctx, kept, settings.Store, output),
			tellIntegrity(ctx, kept, settings.Store, output),
			tellKeys(ctx, kept, settings, output),
		)
	})
}

// examine opens the store of the configuration to be read.
func examine(ctx context.Context, settings config.Config, do func(kept store.Examined) error) error {
	kept, err := server.ExamineStore(ctx, settings.Store)
	if err != nil {
		return err
	}
	return errors.Join(do(kept), kept.Close())
}

func tellSchema(ctx context.Context, kept store.Examined, settings config.Store, output io.Writer) error {
	version, known, err := kept.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if version < known {
		return tell(output, "%s has schema version %d; migrate, or the next start of this server, brings it to %d", nameOf(settings), version, known)
	}
	return tell(output, "%s has schema version %d, the newest", nameOf(settings), version)
}

func nameOf(settings config.Store) string {
	if settings.Postgres != nil {
		return "the database " + settings.Postgres.Database
	}
	return settings.SQLite.Path
}

// tellIntegrity says no more than was looked at.
func tellIntegrity(ctx context.Context, kept store.Examined, settings config.Store, output io.Writer) error {
	if err := kept.CheckIntegrity(ctx); err != nil {
		return err
	}
	if settings.Postgres != nil {
		return tell(output, "its keys and indexes are in force, and no record hangs on one that is gone; whether pages are sound, pg_amcheck tells")
	}
	return tell(output, "the database is sound")
}

func tellKeys(ctx context.Context, kept store.Examined, settings config.Config, output io.Writer) (err error) {
	encryption, err := keys.ReadKeyEncryptionKeys(settings.KeyEncryptionKeyFile)
	if err != nil {
		return err
	}
	custodian, err := server.OpenCustodian(settings)
	if err != nil {
		return err
	}
	if custodian != nil {
		defer func() { err = errors.Join(err, custodian.Close()) }()
	}
	found, err := keys.Check(ctx, kept, encryption, custodian)
	if err != nil {
		return err
	}
	return tell(output, "%s opens every one of the %d server keys", settings.KeyEncryptionKeyFile, found)
}

// clientPage is how many clients are read at a time; our own choice.
const clientPage = 200

// checkClients tells which registered clients the rule book of today refuses, and
// why. It may be run beside the server, with the program that is to replace it.
func checkClients(ctx context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	settings, err := settingsOf(newFlags("check-clients"), arguments)
	if err != nil {
		return err
	}
	return examine(ctx, settings, func(kept store.Examined) error {
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

func judgeClients(ctx context.Context, kept store.Examined, limits fapi.Limits, output io.Writer) (checked, refused int, err error) {
	after := ""
	for {
		page, err := kept.ListClients(ctx, registration.Installations{Any: true}, after, clientPage)
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
