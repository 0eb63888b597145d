package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

// commands are what the program does besides serving: each makes something that
// the configuration's files hold.
var commands = map[string]func(io.Reader, io.Writer) error{
	"hash-password":               hashPassword,
	"generate-key-encryption-key": generateKeyEncryptionKey,
}

// hashPassword reads a password from the input's first line, so that it is in
// no process list and no shell history, and writes what the users' file holds.
func hashPassword(input io.Reader, output io.Writer) error {
	line, err := bufio.NewReader(input).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the password from standard input: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return errors.New("no password: write it to standard input, in one line")
	}
	_, err = fmt.Fprintln(output, interaction.HashPassword(password))
	return err
}

// generateKeyEncryptionKey writes a fresh line of the key-encryption-key file.
func generateKeyEncryptionKey(_ io.Reader, output io.Writer) error {
	_, err := fmt.Fprintln(output, strings.TrimSpace(keys.GenerateKeyEncryptionKey()))
	return err
}
