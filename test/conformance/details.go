package main

// detailsType is the type of authorization_details (RFC 9396, 2) in the plans with them.
const detailsType = "account_information"

// authorizationDetails are what those plans ask for.
const authorizationDetails = `[{"type": "account_information", "actions": ["read_balances"]}]`

// detailsSchema is what the server takes for authorization_details of the type.
const detailsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "type": {"const": "account_information"},
    "actions": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["list_accounts", "read_balances"]}}
  },
  "required": ["type", "actions"],
  "additionalProperties": false
}`
