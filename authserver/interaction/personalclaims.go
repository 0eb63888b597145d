package interaction

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
)

// Claims are what the server knows about a person, by their names in OpenID
// Connect Core, 5.1. Empty ones are not asserted.
type Claims struct {
	Name                string   `yaml:"name" json:"name,omitempty"`
	GivenName           string   `yaml:"given_name" json:"given_name,omitempty"`
	FamilyName          string   `yaml:"family_name" json:"family_name,omitempty"`
	MiddleName          string   `yaml:"middle_name" json:"middle_name,omitempty"`
	Nickname            string   `yaml:"nickname" json:"nickname,omitempty"`
	PreferredUsername   string   `yaml:"preferred_username" json:"preferred_username,omitempty"`
	Profile             string   `yaml:"profile" json:"profile,omitempty"` // https URL, like the next two
	Picture             string   `yaml:"picture" json:"picture,omitempty"`
	Website             string   `yaml:"website" json:"website,omitempty"`
	Email               string   `yaml:"email" json:"email,omitempty"`
	EmailVerified       *bool    `yaml:"email_verified" json:"email_verified,omitempty"`
	Gender              string   `yaml:"gender" json:"gender,omitempty"`
	Birthdate           string   `yaml:"birthdate" json:"birthdate,omitempty"`       // YYYY-MM-DD, 0000-MM-DD or YYYY
	Zoneinfo            string   `yaml:"zoneinfo" json:"zoneinfo,omitempty"`         // IANA time zone
	Locale              string   `yaml:"locale" json:"locale,omitempty"`             // BCP 47
	PhoneNumber         string   `yaml:"phone_number" json:"phone_number,omitempty"` // E.164
	PhoneNumberVerified *bool    `yaml:"phone_number_verified" json:"phone_number_verified,omitempty"`
	Address             *Address `yaml:"address" json:"address,omitempty"`
	UpdatedAt           *int64   `yaml:"updated_at" json:"updated_at,omitempty"` // seconds since 1970
}

// Address is the address claim (OpenID Connect Core, 5.1.1).
type Address struct {
	Formatted     string `yaml:"formatted" json:"formatted,omitempty"`
	StreetAddress string `yaml:"street_address" json:"street_address,omitempty"`
	Locality      string `yaml:"locality" json:"locality,omitempty"`
	Region        string `yaml:"region" json:"region,omitempty"`
	PostalCode    string `yaml:"postal_code" json:"postal_code,omitempty"`
	Country       string `yaml:"country" json:"country,omitempty"`
}

// personalClaims are the names of all of Claims, in the order in which people are
// told of them.
var personalClaims = []string{
	"name", "given_name", "middle_name", "family_name", "nickname", "preferred_username",
	"email", "email_verified", "phone_number", "phone_number_verified", "address",
	"birthdate", "gender", "profile", "picture", "website", "locale", "zoneinfo", "updated_at",
}

// ClaimNames lists the claims that a person may have.
func ClaimNames() []string { return slices.Clone(personalClaims) }

// birthdatePattern: a full date, one without a year, or a year (OpenID Connect Core, 5.1).
var birthdatePattern = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4})$`)

// check refuses what clients would stumble over.
func (c Claims) check() error {
	switch {
	case c.Birthdate != "" && !birthdatePattern.MatchString(c.Birthdate):
		return errors.New("birthdate: write YYYY-MM-DD, 0000-MM-DD without the year, or YYYY")
	case !isOptionalHTTPS(c.Profile) || !isOptionalHTTPS(c.Picture) || !isOptionalHTTPS(c.Website):
		return errors.New("profile, picture and website: write an https URL")
	case c.UpdatedAt != nil && *c.UpdatedAt < 0:
		return errors.New("updated_at: write the seconds since 1970")
	case c.Address != nil && *c.Address == Address{}:
		return errors.New("address: write at least one of its members, or leave it out")
	}
	return nil
}

func isOptionalHTTPS(text string) bool {
	address, err := url.Parse(text)
	return text == "" || err == nil && address.Scheme == "https" && address.Host != ""
}
