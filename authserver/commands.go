package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

// command is something that the program does besides serving.
type command func(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error

// commands make what the configuration's files hold, look after the store, and ask a running server.
var commands = map[string]command{
	"hash-password":               hashPassword,
	"generate-key-encryption-key": generateKeyEncryptionKey,
	"create-key-encryption-key":   createKeyEncryptionKey,
	"check":                       checkStore,
	"check-clients":               checkClients,
	"migrate":                     migrate,
	"backup":                      backup,
	"probe":                       probe,
}

// hashPassword reads a password from the input's first line, so that it is in
// no process list and no shell history, and writes what the users' file holds.
func hashPassword(_ context.Context, arguments []string, input io.Reader, output io.Writer) error {
	if err := noMore(arguments); err != nil {
		return err
	}
	line, err := bufio.NewReader(input).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the password from standard input: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return errors.New("no password: write it to standard input, in one line")
	}
	return tell(output, "%s", interaction.HashPassword(password))
}

// generateKeyEncryptionKey writes a fresh line of the key-encryption-key file.
func generateKeyEncryptionKey(_ context.Context, arguments []string, _ io.Reader, output io.Writer) error {
	if err := noMore(arguments); err != nil {
		return err
	}
	return tell(output, "%s", strings.TrimSpace(keys.GenerateKeyEncryptionKey()))
}

// noMore refuses arguments of a command that takes none, or no more than it took.
func noMore(arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("unexpected argument %q; authserver --help shows what each command takes", arguments[0])
	}
	return nil
}

// settingsOf reads a command's flags, and the configuration that --config names.
func settingsOf(set *flag.FlagSet, arguments []string) (config.Config, error) {
	file := set.String("config", "", "the configuration `FILE` (YAML); required")
	set.SetOutput(io.Discard) // The error says it, and the usage is the program's.
	if err := set.Parse(arguments); err != nil {
		return config.Config{}, fmt.Errorf("%s: %w; authserver --help shows what each command takes", set.Name(), err)
	}
	if err := noMore(set.Args()); err != nil {
		return config.Config{}, err
	}
	if *file == "" {
		return config.Config{}, fmt.Errorf("%s: --config FILE is missing: name the server's configuration file", set.Name())
	}
	return config.Load(*file)
}

func newFlags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }

// tell writes a line.
func tell(output io.Writer, format string, arguments ...any) error {
	_, err := fmt.Fprintf(output, format+"\n", arguments...)
	return err
}
