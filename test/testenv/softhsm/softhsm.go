// Package softhsm makes tokens of SoftHSM, a hardware security module in software
// (Debian's package softhsm2), in a temporary directory of a test.
package softhsm

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ModuleFile is where Debian has the PKCS #11 module.
const ModuleFile = "/usr/lib/softhsm/libsofthsm2.so"

// Token is a token, made for one test.
type Token struct {
	Label string
	// PIN is the user's, and PINFile holds it in a line.
	PIN, PINFile string
	// Directory holds the token's objects: without it, the token is gone.
	Directory string
}

// New makes a token, and has this process's modules use it from their start on. It
// sets an environment variable, so that the test is not parallel to others. What
// is added are lines of the module's configuration (softhsm2.conf).
func New(t testing.TB, added string) Token {
	t.Helper()
	directory := t.TempDir()
	token := Token{Label: "bank", PIN: "a pin of the user", PINFile: filepath.Join(directory, "pin"), Directory: filepath.Join(directory, "tokens")}
	if err := os.Mkdir(token.Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	configuration := filepath.Join(directory, "softhsm2.conf")
	write(t, configuration, "directories.tokendir = "+token.Directory+"\nobjectstore.backend = file\nlog.level = ERROR\n"+added)
	write(t, token.PINFile, token.PIN+"\n")
	t.Setenv("SOFTHSM2_CONF", configuration)
	initialize := exec.CommandContext(t.Context(), "softhsm2-util", "--init-token", "--free", "--label", token.Label, "--so-pin", "the officer's", "--pin", token.PIN)
	if output, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("make a token of SoftHSM (make prerequisites installs it): %v\n%s", err, output)
	}
	return token
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
