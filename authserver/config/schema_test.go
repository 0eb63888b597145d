package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func document(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheSchemaAcceptsWhatTheServerAccepts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"example.yaml": example(t), "required settings": required, "postgres": withPostgres(t), "pkcs11": withPKCS11(t), "proxy": withProxy(t)} {
		if err := compiledSchema(t).Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSchemaRefusesWhatAnEditorCanSee(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for name, test := range map[string]struct{ from, to string }{
		"http issuer":         {"issuer: https://", "issuer: http://"},
		"trailing slash":      {"issuer: https://auth.bank.example", "issuer: https://auth.bank.example/"},
		"unknown key":         {"issuer:", "isuer: x\nissuer:"},
		"unknown inner key":   {"  level: info", "  levels: info"},
		"days":                {"lifetime: 2160h", "lifetime: 90d"},
		"type without schema": {"    schemaFile: /etc/fapi-operator/authorization-details/payment_initiation.json\n", ""},
		"nonces":              {`nonces: "off"`, "nonces: sometimes"},
		"level":               {"level: info", "level: loud"},
		"range":               {"10.20.0.0/16", "10.20.0.0"},
		"proxy without name":  {"    # proxy:", "    proxy: {clientCAFile: a, sans: [], header: Client-Cert}\n    # proxy:"},
		"proxy's header":      {"    # proxy:", "    proxy: {clientCAFile: a, sans: [b], header: X-SSL-Cert}\n    # proxy:"},
		"token without PIN":   {"  # pkcs11:", "  pkcs11: {moduleFile: a, tokenLabel: b}\n  # pkcs11:"},
		"two databases":       {"  # postgres:", "  postgres: {hosts: ['db:5432'], database: a, user: b, passwordFile: c}\n  # postgres:"},
	} {
		if schema.Validate(document(t, edited(t, test.from, test.to))) == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

// Whoever may register is listed, without installations or with them, and the schema
// sees what is wrong about it as the server does.
func TestSomebodyMayRegister(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for callers, path := range map[string]string{
		"allowedClientSANs: [operator]":                                        "",
		"boundClientSANs: {operator: [east]}":                                  "",
		"allowedClientSANs: [], boundClientSANs: {operator: [east, west-1.b]}": "",
		"allowedClientSANs: [admin], boundClientSANs: {operator: [east]}":      "",
		"administratorSANs: [admin]":                                           "listeners.private.allowedClientSANs",
		"allowedClientSANs: []":                                                "listeners.private.allowedClientSANs",
		"boundClientSANs: {}":                                                  "listeners.private.allowedClientSANs",
		"boundClientSANs: {operator: []}":                                      "listeners.private.boundClientSANs.operator",
		"boundClientSANs: {operator: [east, '*']}":                             "listeners.private.boundClientSANs.operator[1]",
		"boundClientSANs: {operator: [east/bank]}":                             "listeners.private.boundClientSANs.operator[0]",
	} {
		text := strings.Replace(required, "allowedClientSANs: [operator]", callers, 1)
		if refused := schema.Validate(document(t, text)) != nil; refused != (path != "") {
			t.Errorf("%s: refused by the schema: %t", callers, refused)
		}
		if _, err := Parse([]byte(text)); path == "" && err != nil {
			t.Errorf("%s: %v", callers, err)
		}
		if path == "" {
			continue
		}
		if found := problems(t, text); len(found) != 1 || found[0].Path != path {
			t.Errorf("%s: got %v, want one problem at %s", callers, found, path)
		}
	}
}

// Every key of the struct stands in the schema and the other way round, with
// the type that the decoder takes, a description, and the default in force.
func TestSchemaAndStructAgree(t *testing.T) {
	t.Parallel()
	agree(t, "", compiledSchema(t), reflect.ValueOf(defaults()))
}

func agree(t *testing.T, path string, schema *jsonschema.Schema, value reflect.Value) {
	t.Helper()
	described := schema.Description != "" || path == ""
	for schema.Ref != nil {
		described = described || schema.Default != nil
		checkDefault(t, path, schema, value)
		schema = schema.Ref
		described = described || schema.Description != ""
	}
	checkDefault(t, path, schema, value)
	if !described && !strings.HasSuffix(path, ".tls") {
		t.Errorf("%s has no description", path)
	}
	if value.Kind() == reflect.Pointer {
		value = optional(value)
	}
	switch {
	case value.Kind() == reflect.Int:
		if schema.Types.String() != "[integer]" {
			t.Errorf("%s is %s in the schema, a number in the struct", path, schema.Types)
		}
	case value.Type() == reflect.TypeFor[time.Duration](), value.Type() == reflect.TypeFor[CIDR](), value.Kind() == reflect.String:
		if schema.Enum == nil && schema.Types.String() != "[string]" {
			t.Errorf("%s is %s in the schema, a text in the struct", path, schema.Types)
		}
	case value.Kind() == reflect.Struct:
		agreeOnKeys(t, path, schema, value)
	case value.Kind() == reflect.Slice:
		if schema.Types.String() != "[array]" {
			t.Errorf("%s is %s in the schema, a list in the struct", path, schema.Types)
		}
	case value.Kind() == reflect.Map:
		if entry, ok := schema.AdditionalProperties.(*jsonschema.Schema); !ok {
			t.Errorf("%s is no mapping in the schema", path)
		} else if element := value.Type().Elem(); element.Kind() == reflect.Struct {
			agreeOnKeys(t, path+".*", entry, reflect.New(element).Elem())
		}
	}
}

// optional is what a section holds that is given and empty.
func optional(section reflect.Value) reflect.Value {
	if section.Type() == reflect.TypeFor[*Postgres]() {
		return reflect.ValueOf(Postgres{MaxConnections: DefaultMaxConnections})
	}
	return reflect.New(section.Type().Elem()).Elem()
}

func agreeOnKeys(t *testing.T, path string, schema *jsonschema.Schema, value reflect.Value) {
	t.Helper()
	if schema.AdditionalProperties != false {
		t.Errorf("%s: the schema lets unknown keys pass", path)
	}
	var keys []string
	for i := range value.NumField() {
		key := value.Type().Field(i).Tag.Get("yaml")
		keys = append(keys, key)
		property, ok := schema.Properties[key]
		if !ok {
			t.Errorf("%s.%s is missing in the schema", path, key)
			continue
		}
		agree(t, strings.TrimPrefix(path+"."+key, "."), property, value.Field(i))
	}
	for property := range schema.Properties {
		if !slices.Contains(keys, property) {
			t.Errorf("%s.%s is in the schema only", path, property)
		}
	}
}

func checkDefault(t *testing.T, path string, schema *jsonschema.Schema, value reflect.Value) {
	t.Helper()
	if schema.Default == nil {
		return
	}
	stated, _ := (*schema.Default).(string)
	got := stated
	want := value.String()
	if value.Kind() == reflect.Int {
		got, want = fmt.Sprint(*schema.Default), fmt.Sprint(value.Int())
	}
	if duration, ok := value.Interface().(time.Duration); ok {
		parsed, err := time.ParseDuration(stated)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		got, want = parsed.String(), duration.String()
	}
	if got != want {
		t.Errorf("%s: the schema's default is %q, the server's %q", path, got, want)
	}
}

func TestEveryDefaultStandsInTheSchema(t *testing.T) {
	t.Parallel()
	properties := compiledSchema(t).Properties
	for section, key := range map[string]string{"keys": "rotationInterval", "dpop": "nonces", "accessToken": "maxLifetime", "refreshToken": "lifetime", "session": "lifetime", "log": "level"} {
		if properties[section].Properties[key].Default == nil {
			t.Errorf("%s.%s has no default in the schema", section, key)
		}
	}
}
