package fapitest

// The types of authorization details that the server's configuration declares.
const (
	TypeAccountInformation = "account_information"
	TypePaymentInitiation  = "payment_initiation"
)

const accountInformationSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "type": {"const": "account_information"},
    "actions": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["list_accounts", "read_balances", "read_transactions"]}},
    "locations": {"type": "array", "items": {"type": "string", "format": "uri"}}
  },
  "required": ["type", "actions"],
  "additionalProperties": false
}`

const paymentInitiationSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "type": {"const": "payment_initiation"},
    "locations": {"type": "array", "items": {"type": "string", "format": "uri"}},
    "instructedAmount": {
      "title": "Amount",
      "type": "object",
      "properties": {
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "amount": {"type": "string", "pattern": "^[0-9]{1,12}([.][0-9]{1,3})?$"}
      },
      "required": ["currency", "amount"],
      "additionalProperties": false
    },
    "creditorName": {"title": "To", "type": "string", "minLength": 1},
    "creditorAccount": {
      "title": "Account",
      "type": "object",
      "properties": {"iban": {"title": "IBAN", "type": "string"}, "bic": {"title": "BIC", "type": "string"}},
      "required": ["iban"],
      "additionalProperties": false
    },
    "remittanceInformationUnstructured": {"title": "Reference", "type": "string"},
    "requestedExecutionDate": {"title": "On", "type": "string", "format": "date"}
  },
  "required": ["type", "instructedAmount", "creditorName", "creditorAccount"],
  "additionalProperties": false
}`
