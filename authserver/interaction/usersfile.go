package interaction

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// usersFile is the users' file. Unknown and repeated members are refused.
type usersFile struct {
	// Users is nil when the file has no list, and empty when the list says that
	// nobody logs in here.
	Users []userEntry `yaml:"users"`
}

type userEntry struct {
	Username     string `yaml:"username"`
	PasswordHash string `yaml:"passwordHash"`
	Subject      string `yaml:"subject"`
	Claims       Claims `yaml:"claims"`
}

var (
	// usernamePattern leaves out what looks alike or invisible on a page.
	usernamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$`)
	// subjectPattern: at most 255 ASCII characters (OpenID Connect Core, 2). No
	// client_id starts with ~, so a person's subject never looks like a client's
	// (RFC 9068, 5).
	subjectPattern = regexp.MustCompile(`^~[A-Za-z0-9._-]{1,254}$`)
)

// LoadUsers reads a users' file, in YAML:
//
//	users:
//	  - username: alice
//	    passwordHash: $argon2id$v=19$m=65536,t=3,p=4$...$...  # HashPassword
//	    subject: ~4f1c8a     # optional: see below
//	    claims:              # optional, all of them: OpenID Connect Core, 5.1
//	      name: Alice Example
//	      email: alice@example.com
//	      email_verified: true
//
// An empty list, written as "users: []", is a server of clients without persons.
// A file without a list is refused: it is more likely truncated than meant.
//
// A subject must never pass to another person (OpenID Connect Core, 5.7). The
// one that is left out is derived from the username: "~" and the base64url of
// SHA-256 over "local user", a zero byte and the username. So give a stated
// subject to a person who takes over a former user's name, and to one whose
// name changes.
func LoadUsers(path string) (*Users, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the users' file: %w", err)
	}
	users, err := ParseUsers(content)
	if err != nil {
		return nil, fmt.Errorf("users' file %s: %w", path, err)
	}
	return users, nil
}

// ParseUsers reads the content of a users' file; see LoadUsers.
func ParseUsers(content []byte) (*Users, error) {
	file, err := decodeUsersFile(content)
	if err != nil {
		return nil, err
	}
	if file.Users == nil {
		return nil, errors.New("it has no list of users: name them under users, or write \"users: []\" if nobody logs in here")
	}
	users := newUsers()
	for i, entry := range file.Users {
		if err := users.add(entry); err != nil {
			return nil, fmt.Errorf("users[%d]: %w", i, err)
		}
	}
	return users, nil
}

func decodeUsersFile(content []byte) (usersFile, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var file usersFile
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return usersFile{}, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return usersFile{}, errors.New("it holds more than one YAML document: keep all users in one list")
	}
	return file, nil
}

// user turns an entry into a user, or says what is wrong with it.
func (e userEntry) user() (localUser, error) {
	if !usernamePattern.MatchString(e.Username) {
		return localUser{}, fmt.Errorf("username %q: use 1 to 128 letters, digits and . _ @ + -, starting with a letter or digit", e.Username)
	}
	subject := e.Subject
	if subject == "" {
		subject = derivedSubject(e.Username)
	}
	if !subjectPattern.MatchString(subject) {
		return localUser{}, fmt.Errorf("subject %q of %s: use ~ and then 1 to 254 letters, digits and . _ -", subject, e.Username)
	}
	if err := e.Claims.check(); err != nil {
		return localUser{}, fmt.Errorf("claims of %s: %w", e.Username, err)
	}
	hash, err := parsePasswordHash(e.PasswordHash)
	if err != nil {
		return localUser{}, fmt.Errorf("passwordHash of %s %w", e.Username, err)
	}
	return localUser{User{e.Username, subject, e.Claims}, hash}, nil
}

func derivedSubject(username string) string {
	digest := sha256.Sum256([]byte("local user\x00" + username))
	return "~" + base64.RawURLEncoding.EncodeToString(digest[:])
}
