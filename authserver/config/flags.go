package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Flags are the server's command-line flags.
type Flags struct {
	// File is the configuration file (--config).
	File string
	// CheckOnly ends the program once the configuration has been judged (--check-config).
	CheckOnly bool
	// Version asks which build this is (--version); nothing else is stated then.
	Version bool
}

const usage = `authserver --config FILE [--check-config]
    serves as the file says, or judges the file and what it names, then ends
authserver --version
    says which build this is
authserver hash-password
    reads a password from standard input and writes its hash for the users' file
authserver generate-key-encryption-key
    writes a fresh key for the file that keyEncryptionKeyFile names
authserver create-key-encryption-key FILE
    makes that file with a fresh key, unless it exists
authserver check --config FILE
    tells the store's schema version, whether it is sound, and whether every server key opens
authserver check-clients --config FILE
    lists the registered clients that this version's rules refuse; fails if there are any
authserver backup --config FILE --to FILE
    copies a store in SQLite to a new file
authserver migrate --config FILE
    brings the store's schema up to date, as a start does; no server may be running on a SQLite file
authserver probe --issuer URL [--connect HOST:PORT] [--ca-file FILE]
    asks a running server for its discovery document and its keys, over TLS

check, check-clients and backup may run beside the server, and change nothing in the store.

`

// ParseFlags reads the program's arguments without its name. The usage goes to
// output; flag.ErrHelp means that it was asked for.
func ParseFlags(arguments []string, output io.Writer) (Flags, error) {
	var flags Flags
	set := flag.NewFlagSet("authserver", flag.ContinueOnError)
	set.SetOutput(output)
	set.StringVar(&flags.File, "config", "", "the configuration `FILE` (YAML); required")
	set.BoolVar(&flags.CheckOnly, "check-config", false, "judge the configuration and the files that it names, then end")
	set.BoolVar(&flags.Version, "version", false, "say which build this is, and end")
	set.Usage = func() {
		_, _ = io.WriteString(output, usage) // Nobody is left to be told.
		set.PrintDefaults()
	}
	if err := set.Parse(arguments); err != nil {
		return Flags{}, err
	}
	if flags.Version {
		return Flags{Version: true}, nil
	}
	if set.NArg() > 0 {
		return Flags{}, fmt.Errorf("unexpected argument %q: everything but --config, --check-config and --version is in the file", set.Arg(0))
	}
	if flags.File == "" {
		return Flags{}, errors.New("--config FILE is missing: name the configuration file")
	}
	return flags, nil
}
