package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Load reads, decodes and validates the file at path, and sees that every file
// which it names can be read. Relative paths count from the working directory.
func Load(path string) (Config, error) {
	text, err := readBounded(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	config, err := Parse(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := config.checkFiles(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // Nothing was written that closing could lose.
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", path, maxFileBytes)
	}
	return text, nil
}

// checkFiles sees that every named file is there and readable, so that one
// start tells all that is missing. What the files hold is judged by who uses them.
func (c Config) checkFiles() error {
	var found report
	for _, named := range slices.Concat(c.namedFiles(), c.schemaFiles()) {
		_, err := readBounded(named.path)
		found.unless(err == nil, named.setting, fileFault(err), "mount or create the file, or correct the path")
	}
	for _, name := range slices.Sorted(maps.Keys(c.TrustBundles)) {
		found.checkBundle("trustBundles."+name, c.TrustBundles[name])
	}
	if c.Keys.PKCS11 != nil {
		found.checkModule("keys.pkcs11.moduleFile", c.Keys.PKCS11.ModuleFile)
	}
	if c.Store.SQLite != nil {
		found.checkDirectory("store.sqlite.path", filepath.Dir(c.Store.SQLite.Path))
	}
	return found.err()
}

// checkModule reads nothing of the library, which may be large.
func (r *report) checkModule(setting, path string) {
	status, err := os.Stat(path)
	r.unless(err == nil && status.Mode().IsRegular(), setting, "there is no file "+path, "install the module of the device's maker, or correct the path")
}

func (r *report) checkDirectory(setting, directory string) {
	status, err := os.Stat(directory)
	r.unless(err == nil && status.IsDir(), setting, "there is no directory "+directory, "create it or mount a volume there")
}

type namedFile struct{ setting, path string }

func (c Config) namedFiles() []namedFile {
	files := []namedFile{
		{"listeners.public.tls.certificateFile", c.Listeners.Public.TLS.CertificateFile},
		{"listeners.public.tls.keyFile", c.Listeners.Public.TLS.KeyFile},
		{"listeners.mtls.tls.certificateFile", c.Listeners.MTLS.TLS.CertificateFile},
		{"listeners.mtls.tls.keyFile", c.Listeners.MTLS.TLS.KeyFile},
		{"listeners.private.tls.certificateFile", c.Listeners.Private.TLS.CertificateFile},
		{"listeners.private.tls.keyFile", c.Listeners.Private.TLS.KeyFile},
		{"listeners.private.clientCAFile", c.Listeners.Private.ClientCAFile},
		{"keyEncryptionKeyFile", c.KeyEncryptionKeyFile},
		{"users.file", c.Users.File},
	}
	if p := c.Listeners.MTLS.Proxy; p != nil {
		files = append(files, namedFile{"listeners.mtls.proxy.clientCAFile", p.ClientCAFile})
	}
	if p := c.Store.Postgres; p != nil {
		files = append(files, p.namedFiles()...)
	}
	if p := c.Keys.PKCS11; p != nil {
		files = append(files, namedFile{"keys.pkcs11.pinFile", p.PINFile})
	}
	return files
}

// namedFiles are those of the optional files that are given.
func (p Postgres) namedFiles() []namedFile {
	return slices.DeleteFunc([]namedFile{
		{"store.postgres.passwordFile", p.PasswordFile},
		{"store.postgres.tls.caFile", p.TLS.CAFile},
		{"store.postgres.tls.certificateFile", p.TLS.CertificateFile},
		{"store.postgres.tls.keyFile", p.TLS.KeyFile},
	}, func(named namedFile) bool { return named.path == "" })
}

func (c Config) schemaFiles() []namedFile {
	files := make([]namedFile, 0, len(c.AuthorizationDetailsTypes))
	for _, name := range slices.Sorted(maps.Keys(c.AuthorizationDetailsTypes)) {
		files = append(files, namedFile{"authorizationDetailsTypes." + name + ".schemaFile", c.AuthorizationDetailsTypes[name].SchemaFile})
	}
	return files
}

func (r *report) checkBundle(setting, path string) {
	text, err := readBounded(path)
	if err != nil {
		r.add(setting, fileFault(err), "mount or create the file, or correct the path")
		return
	}
	holdsCertificates := x509.NewCertPool().AppendCertsFromPEM(text)
	r.unless(holdsCertificates, setting, path+" holds no certificate", "write CA certificates in PEM there (-----BEGIN CERTIFICATE-----)")
}

// fileFault names the fault with its path; the system's own words are enough.
func fileFault(err error) string {
	if err == nil {
		return ""
	}
	if fault, ok := errors.AsType[*fs.PathError](err); ok {
		return "cannot read " + fault.Path + ": " + fault.Err.Error()
	}
	return err.Error()
}
