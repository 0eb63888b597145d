package listen

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

// volume mounts pairs the way kubelet mounts a Secret: files are links into
// ..data, which is itself a link that is swapped.
type volume struct{ directory string }

func (v volume) mount(t *testing.T, generation string, pair testca.Pair) {
	t.Helper()
	content := filepath.Join(v.directory, generation)
	if err := os.Mkdir(content, 0o700); err != nil {
		t.Fatal(err)
	}
	pair.Write(t, content)
	staged := filepath.Join(v.directory, "..data_tmp")
	if err := os.Symlink(generation, staged); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(staged, filepath.Join(v.directory, "..data")); err != nil {
		t.Fatal(err)
	}
}

func (v volume) link(t *testing.T) config.TLS {
	t.Helper()
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.directory, name)); err != nil {
			t.Fatal(err)
		}
	}
	return config.TLS{CertificateFile: filepath.Join(v.directory, "tls.crt"), KeyFile: filepath.Join(v.directory, "tls.key")}
}

func served(t *testing.T, url string, authority *testca.Authority, clock *clock) []byte {
	t.Helper()
	var leaf []byte
	_, err := ask(t, url, &tls.Config{
		RootCAs: authority.Pool(), Time: clock.now,
		VerifyConnection: func(state tls.ConnectionState) error { leaf = state.PeerCertificates[0].Raw; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestARenewedCertificateIsServed(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	clock := newClock()
	log := &logged{}
	old, renewed := authority.Server(t), authority.Server(t)
	secret := volume{t.TempDir()}
	secret.mount(t, "..1", old)
	settings, err := Public(config.Listener{TLS: secret.link(t)}, clock.now, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, settings)
	want := func(when string, pair testca.Pair) {
		t.Helper()
		if !bytes.Equal(served(t, url, authority, clock), pair.TLS(t).Certificate[0]) {
			t.Errorf("%s: another certificate was served", when)
		}
	}

	want("at first", old)
	secret.mount(t, "..2", renewed)
	want("before a look is due", old)
	clock.advance(reloadInterval)
	want("after the volume was swapped", renewed)

	secret.mount(t, "..3", testca.Pair{Certificate: old.Certificate, Key: renewed.Key})
	for range 3 {
		clock.advance(reloadInterval)
		want("after a pair that does not match", renewed)
	}
	if lines := log.count("cannot be used"); lines != 1 {
		t.Errorf("the broken pair was logged %d times, want once", lines)
	}

	if err := os.Remove(filepath.Join(secret.directory, "tls.key")); err != nil {
		t.Fatal(err)
	}
	clock.advance(reloadInterval)
	want("after the key has gone", renewed)
	if lines := log.count("no such file"); lines != 1 {
		t.Errorf("the absent file was logged %d times, want once", lines)
	}

	if err := os.Symlink(filepath.Join("..data", "tls.key"), filepath.Join(secret.directory, "tls.key")); err != nil {
		t.Fatal(err)
	}
	secret.mount(t, "..4", old)
	clock.advance(reloadInterval)
	want("after the repair", old)
}

func TestFilesAreReadByOneCallerAtATime(t *testing.T) {
	t.Parallel()
	clock := newClock()
	file := testca.WriteFile(t, t.TempDir(), "value", []byte("a"))
	value, err := newReloaded([]string{file}, func(contents [][]byte) (string, error) { return string(contents[0]), nil }, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	testca.WriteFile(t, filepath.Dir(file), "value", []byte("b"))
	clock.advance(reloadInterval)
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			if got := value.current(); got != "a" && got != "b" {
				t.Errorf("got %q", got)
			}
		})
	}
	callers.Wait()
	if got := value.current(); got != "b" {
		t.Errorf("after all callers: %q", got)
	}
}
