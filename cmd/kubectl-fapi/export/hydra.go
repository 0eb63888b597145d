package export

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// hydraBookkeeping are members of a Hydra client that say nothing of what it may do.
var hydraBookkeeping = []string{"created_at", "updated_at", "client_secret_expires_at", "registration_client_uri"}

// hydraSecrets are members that open something.
var hydraSecrets = []string{"client_secret", "registration_access_token"}

// hydraNames are Hydra's own names for what is registered under another one here.
var hydraNames = map[string]string{"allowed_cors_origins": "fapi_operator_allowed_origins"}

// hydraLifespans are the lifetimes of access tokens by the grant that leads to them.
var hydraLifespans = []string{
	"authorization_code_grant_access_token_lifespan",
	"client_credentials_grant_access_token_lifespan",
	"refresh_token_grant_access_token_lifespan",
}

// readHydra reads what hydra get client --format json writes, one client or
// several: client metadata after RFC 7591 with members of Hydra's own.
func readHydra(content []byte) (Clients, error) {
	objects, err := readObjects(content)
	if err != nil {
		return Clients{}, err
	}
	if items, isList := objects[0]["items"]; isList && len(objects) == 1 {
		if objects, err = decode[[]object](items); err != nil {
			return Clients{}, err
		}
	}
	var clients Clients
	for _, members := range objects {
		clients.Clients = append(clients.Clients, hydraClient(members))
	}
	return clients, nil
}

func hydraClient(members object) Client {
	var client Client
	registered, named := map[string]jsontext.Value{}, map[string]string{}
	for member, value := range members {
		switch {
		case isEmpty(value) || slices.Contains(hydraBookkeeping, member) || slices.Contains(hydraLifespans, member):
		case slices.Contains(hydraSecrets, member):
			client.lose(member, reasonSecret)
		case strings.HasPrefix(member, "fapi_operator_"):
			client.lose(member, reasonNothingLikeIt)
		default:
			name := member
			if other, renamed := hydraNames[member]; renamed {
				name = other
			}
			registered[name], named[name] = value, member
		}
	}
	client.setMetadata(registered, named)
	client.hydraDefaults()
	client.hydraLifetime(members)
	client.withoutSecrets(func(name string) string { return named[name] })
	client.ID = client.Metadata.ClientID
	client.sortLosses()
	return client
}

// hydraDefaults fills in what Hydra means by an absent member, and takes out
// what means an absent one here.
func (c *Client) hydraDefaults() {
	m := &c.Metadata
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = oauth.AuthClientSecretBasic
	}
	if m.GrantTypes == nil {
		m.GrantTypes = []string{oauth.GrantAuthorizationCode}
	}
	if m.UserinfoSignedResponseAlg == "none" {
		m.UserinfoSignedResponseAlg = ""
	}
	scopes := oauth.SpaceSeparated(m.Scope)
	for i, scope := range scopes {
		if scope == "offline" { // Hydra's other word for it
			scopes[i] = "offline_access"
		}
	}
	m.Scope = strings.Join(unique(scopes), " ")
}

// hydraLifetime takes the shortest lifetime of access tokens, where it differs
// by grant.
func (c *Client) hydraLifetime(members object) {
	for _, member := range hydraLifespans {
		value, stated := members[member]
		if !stated || isEmpty(value) {
			continue
		}
		text, err := decode[string](value)
		lifetime, parseErr := time.ParseDuration(text)
		if err != nil || parseErr != nil {
			c.lose(member, reasonUnreadable)
			continue
		}
		c.setLifetime(member, int64(lifetime/time.Second))
	}
}

func (c *Client) setLifetime(member string, seconds int64) {
	current := c.Metadata.AccessTokenLifetime
	if current != nil && *current != seconds {
		c.lose(member, "a client's access tokens have one lifetime here; the shortest one is kept")
		seconds = min(seconds, *current)
	}
	c.Metadata.AccessTokenLifetime = &seconds
}

func unique(values []string) []string {
	var kept []string
	for _, value := range values {
		if !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}
