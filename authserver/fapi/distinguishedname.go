package fapi

import (
	"fmt"
	"regexp"
	"strings"
)

// attributeOIDs are the names under which attribute types are written, in lower
// case: those of RFC 4514, 3, and of RFC 4519, RFC 2985, X.520 and the CA/Browser
// Forum that certificates use, with the short forms that tools print. All of
// them compare without case.
var attributeOIDs = map[string]string{
	"cn": "2.5.4.3", "commonname": "2.5.4.3",
	"sn": "2.5.4.4", "surname": "2.5.4.4",
	"serialnumber": "2.5.4.5",
	"c":            "2.5.4.6", "countryname": "2.5.4.6",
	"l": "2.5.4.7", "localityname": "2.5.4.7",
	"st": "2.5.4.8", "s": "2.5.4.8", "stateorprovincename": "2.5.4.8",
	"street": "2.5.4.9", "streetaddress": "2.5.4.9",
	"o": "2.5.4.10", "organizationname": "2.5.4.10",
	"ou": "2.5.4.11", "organizationalunitname": "2.5.4.11",
	"title": "2.5.4.12", "t": "2.5.4.12",
	"description":      "2.5.4.13",
	"businesscategory": "2.5.4.15",
	"postalcode":       "2.5.4.17",
	"telephonenumber":  "2.5.4.20",
	"name":             "2.5.4.41",
	"givenname":        "2.5.4.42", "gn": "2.5.4.42",
	"initials":            "2.5.4.43",
	"generationqualifier": "2.5.4.44",
	"dnqualifier":         "2.5.4.46", "dnq": "2.5.4.46",
	"pseudonym":              "2.5.4.65",
	"organizationidentifier": "2.5.4.97",
	"uid":                    "0.9.2342.19200300.100.1.1", "userid": "0.9.2342.19200300.100.1.1",
	"dc": "0.9.2342.19200300.100.1.25", "domaincomponent": "0.9.2342.19200300.100.1.25",
	"emailaddress": "1.2.840.113549.1.9.1", "email": "1.2.840.113549.1.9.1", "e": "1.2.840.113549.1.9.1",
	"jurisdictionl": "1.3.6.1.4.1.311.60.2.1.1", "jurisdictionlocalityname": "1.3.6.1.4.1.311.60.2.1.1",
	"jurisdictionst": "1.3.6.1.4.1.311.60.2.1.2", "jurisdictionstateorprovincename": "1.3.6.1.4.1.311.60.2.1.2",
	"jurisdictionc": "1.3.6.1.4.1.311.60.2.1.3", "jurisdictioncountryname": "1.3.6.1.4.1.311.60.2.1.3",
}

var knownOIDs = func() map[string]struct{} {
	oids := map[string]struct{}{}
	for _, oid := range attributeOIDs {
		oids[oid] = struct{}{}
	}
	return oids
}()

var dottedDecimal = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)

// AttributeOID gives the OID of an attribute type: a name, without regard to
// case, or dotted decimal, with or without the prefix of RFC 2253's time.
func AttributeOID(attributeType string) (string, error) {
	lower := strings.ToLower(attributeType)
	if oid, known := attributeOIDs[lower]; known {
		return oid, nil
	}
	if oid := strings.TrimPrefix(lower, "oid."); dottedDecimal.MatchString(oid) {
		return oid, nil
	}
	return "", fmt.Errorf("attribute type %.64q is not known; write its OID in dotted decimal", attributeType)
}

// KnowsAttribute tells whether the attribute with this OID is one that has a name here.
func KnowsAttribute(oid string) bool {
	_, known := knownOIDs[oid]
	return known
}
