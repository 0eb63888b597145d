//go:build e2e

package e2e

import (
	"net"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is a git repository of what ships in config, which the cluster can
// fetch while the test runs.
type repository struct{ folder, url string }

// shipped are the folders that the Applications of config/argocd name.
var shipped = []string{"config/chart", "config/samples", "config/argocd/samples"}

func newRepository(t *testing.T) repository {
	t.Helper()
	folder := t.TempDir()
	r := repository{folder: folder, url: serveGit(t, folder)}
	r.git(t, "init", "--quiet", "--initial-branch=main")
	for _, path := range shipped {
		if err := os.CopyFS(filepath.Join(folder, path), os.DirFS(filepath.Join(root, path))); err != nil {
			t.Fatalf("fill the repository: %v", err)
		}
	}
	r.commit(t, "What ships")
	return r
}

// serveGit serves a repository over HTTP where pods reach this machine.
func serveGit(t *testing.T, folder string) string {
	t.Helper()
	program, err := exec.LookPath("git")
	if err != nil {
		t.Fatalf("install git: %v", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(hostAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&cgi.Handler{
		Path: program, Args: []string{"http-backend"},
		Env: append(gitEnvironment(), "GIT_PROJECT_ROOT="+filepath.Dir(folder), "GIT_HTTP_EXPORT_ALL="),
	})
	_ = server.Listener.Close() // Loopback's, which pods do not reach.
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(folder) + "/.git"
}

// gitEnvironment keeps the settings of whoever runs the tests out of it.
func gitEnvironment() []string {
	return []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull,
		"GIT_AUTHOR_NAME=e2e", "GIT_AUTHOR_EMAIL=e2e@bank.example", "GIT_COMMITTER_NAME=e2e", "GIT_COMMITTER_EMAIL=e2e@bank.example",
	}
}

func (r repository) git(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.Command("git", append([]string{"-C", r.folder}, arguments...)...)
	command.Env = append(os.Environ(), gitEnvironment()...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", strings.Join(arguments, " "), err, output)
	}
	return strings.TrimSpace(string(output))
}

// commit commits whatever the folder holds now, and gives the revision.
func (r repository) commit(t *testing.T, subject string) (revision string) {
	t.Helper()
	r.git(t, "add", "--all")
	r.git(t, "commit", "--quiet", "--message="+subject)
	return r.git(t, "rev-parse", "HEAD")
}

// revert takes the last commit back, and gives the revision that does so.
func (r repository) revert(t *testing.T) (revision string) {
	t.Helper()
	r.git(t, "revert", "--no-edit", "HEAD")
	return r.git(t, "rev-parse", "HEAD")
}

// replace replaces a text, which has to be there once, in a file.
func (r repository) replace(t *testing.T, path, old, replacement string) {
	t.Helper()
	file := filepath.Join(r.folder, filepath.FromSlash(path))
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if count := strings.Count(string(content), old); count != 1 {
		t.Fatalf("%s has %q %d times", path, old, count)
	}
	r.write(t, path, strings.Replace(string(content), old, replacement, 1))
}

func (r repository) write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, filepath.FromSlash(path)), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
