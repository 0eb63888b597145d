package config

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadNamesEveryFileThatIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authserver.yaml")
	text := strings.ReplaceAll(withPKCS11(t), "/etc/fapi-operator", filepath.Join(t.TempDir(), "nothing"))
	text = strings.ReplaceAll(text, "/usr/lib/softhsm", filepath.Join(t.TempDir(), "nothing"))
	text = strings.ReplaceAll(text, "/var/lib/fapi-operator", filepath.Join(t.TempDir(), "nothing"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("Load gave %v, want an *Error", err)
	}
	var paths []string
	for _, problem := range refusal.Problems {
		paths = append(paths, problem.Path)
	}
	want := []string{
		"listeners.public.tls.certificateFile", "listeners.public.tls.keyFile",
		"listeners.mtls.tls.certificateFile", "listeners.mtls.tls.keyFile",
		"listeners.private.tls.certificateFile", "listeners.private.tls.keyFile", "listeners.private.clientCAFile",
		"keyEncryptionKeyFile", "users.file", "keys.pkcs11.pinFile",
		"authorizationDetailsTypes.account_information.schemaFile", "authorizationDetailsTypes.payment_initiation.schemaFile",
		"trustBundles.partners", "keys.pkcs11.moduleFile", "store.sqlite.path",
	}
	if difference := cmp.Diff(want, paths); difference != "" {
		t.Errorf("paths (-want +got):\n%s", difference)
	}
}

func TestLoadNamesTheDatabasesFiles(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(withPostgres(t)))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, named := range config.namedFiles() {
		paths = append(paths, named.setting)
	}
	want := []string{"store.postgres.passwordFile", "store.postgres.tls.caFile", "store.postgres.tls.certificateFile", "store.postgres.tls.keyFile"}
	if difference := cmp.Diff(want, paths[len(paths)-4:]); difference != "" {
		t.Errorf("paths (-want +got):\n%s", difference)
	}
	config.Store.Postgres.TLS = PostgresTLS{}
	if files := len(config.namedFiles()); files != len(paths)-3 {
		t.Errorf("%d files are looked for without the optional ones, want %d", files, len(paths)-3)
	}
}

func TestLoadNamesTheProxysFile(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(withProxy(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := namedFile{"listeners.mtls.proxy.clientCAFile", "/etc/fapi-operator/proxy/ca.crt"}
	if !slices.Contains(config.namedFiles(), want) {
		t.Errorf("%v is not looked for", want)
	}
}

func TestLoadAcceptsFilesThatAreThere(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	text := required
	for _, name := range []string{"a", "b", "c", "kek", "users"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"certificateFile: a": "certificateFile: DIR/a", "keyFile: b": "keyFile: DIR/b", "clientCAFile: c": "clientCAFile: DIR/c",
		"path: db": "path: DIR/db", "File: kek": "File: DIR/kek", "file: users": "file: DIR/users"} {
		text = strings.ReplaceAll(text, from, to)
	}
	path := filepath.Join(directory, "authserver.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", directory)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesABundleWithoutCertificate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "partners.pem")
	if err := os.WriteFile(path, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	var found report
	found.checkBundle("trustBundles.partners", path)
	if len(found.problems) != 1 || !strings.Contains(found.problems[0].Wrong, "holds no certificate") {
		t.Errorf("got %v", found.problems)
	}
}

func TestLoadRefusesWhatCannotBeAConfiguration(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"absent": filepath.Join(t.TempDir(), "absent"), "a directory": t.TempDir(), "too large": large} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error that names the file", name, err)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	var usage bytes.Buffer
	got, err := ParseFlags([]string{"--config", "a.yaml", "--check-config"}, &usage)
	if err != nil || got != (Flags{File: "a.yaml", CheckOnly: true}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, arguments := range map[string][]string{"none": {}, "unknown": {"--port", "1"}, "stray": {"--config", "a.yaml", "b.yaml"}} {
		if _, err := ParseFlags(arguments, &usage); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParseFlags([]string{"--help"}, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "-check-config") {
		t.Errorf("help gave %v and %q", err, usage.String())
	}
}

func TestTheLogFollowsItsSettings(t *testing.T) {
	t.Parallel()
	var output bytes.Buffer
	log := Log{Level: "warn", Format: FormatText}.Logger(&output)
	log.Info("hidden")
	log.Warn("shown")
	if text := output.String(); strings.Contains(text, "hidden") || !strings.Contains(text, "msg=shown") {
		t.Errorf("logged %q", text)
	}
}

func TestVersionNeedsNoFile(t *testing.T) {
	t.Parallel()
	if got, err := ParseFlags([]string{"--version"}, io.Discard); err != nil || !got.Version {
		t.Errorf("got %+v, %v", got, err)
	}
}
