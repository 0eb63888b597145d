// Package lint judges manifests without a cluster, as they are judged when they
// are applied: by what kubectl and kube-apiserver read of them, by the schema of
// the custom resource definition, and by the rule book.
package lint

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/crdschema"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/manifest"
)

// The kinds that people write.
const (
	Kind       = "FAPIApplication"
	PolicyKind = "FAPIPolicy"
)

// installation stands for the one that admits the manifest: the name of a
// managed certificate begins with it, and no rule looks at more than its form.
const installation = "lint"

// Linter judges manifests.
type Linter struct {
	// Namespace is that of manifests which state none.
	Namespace string
	// Limits are what the server allows on top of the rule book, as far as they are known here.
	Limits fapi.Limits

	schemas map[string]*crdschema.Schema
}

// New reads the schemas.
func New(namespace string, limits fapi.Limits) (*Linter, error) {
	schemas, err := crdschema.Load()
	if err != nil {
		return nil, err
	}
	return &Linter{Namespace: namespace, Limits: limits, schemas: schemas}, nil
}

// Judge judges every object of ours, FAPIApplications by the FAPIPolicies among
// the documents too, and skips what is somebody else's.
func (l *Linter) Judge(ctx context.Context, documents []manifest.Document) Report {
	report := Report{Findings: []Finding{}, Warnings: []Finding{}}
	policies := l.policies(documents)
	for _, document := range documents {
		subject := l.about(document)
		switch {
		case document.Err != nil:
			report.Findings = append(report.Findings, subject.finding(CheckReading, "", document.Err.Error()))
		case !isOurs(document.Object):
			report.Skipped++
		default:
			report.count(subject)
			l.judge(ctx, subject, policies, &report)
		}
	}
	return report
}

func (r *Report) count(s subject) {
	if text(s.object, "kind") == PolicyKind {
		r.Policies++
	} else {
		r.Judged++
	}
}

// policies are those that can be read; what is wrong with another one is told
// when it is judged.
func (l *Linter) policies(documents []manifest.Document) []v1alpha1.FAPIPolicy {
	var policies []v1alpha1.FAPIPolicy
	for _, document := range documents {
		if isOurs(document.Object) && text(document.Object, "kind") == PolicyKind {
			if policy, err := decode[v1alpha1.FAPIPolicy](document.Object); err == nil {
				policies = append(policies, *policy)
			}
		}
	}
	return policies
}

// isOurs takes a kind or version that does not exist for a slip of the pen, and
// not for somebody else's.
func isOurs(object map[string]any) bool {
	apiVersion, kind := text(object, "apiVersion"), text(object, "kind")
	version, err := schema.ParseGroupVersion(apiVersion)
	return err == nil && version.Group == v1alpha1.GroupVersion.Group || apiVersion == "" && (kind == Kind || kind == PolicyKind)
}

func (l *Linter) judge(ctx context.Context, subject subject, policies []v1alpha1.FAPIPolicy, report *Report) {
	if subject.schema == nil {
		report.Findings = append(report.Findings, subject.unknownKind())
		return
	}
	findings := append(subject.judgeFields(), subject.judgeSchema(ctx)...)
	if text(subject.object, "kind") == Kind {
		application, err := decode[v1alpha1.FAPIApplication](subject.object)
		switch {
		case err == nil:
			resolved := resolve(application, policies)
			findings = append(findings, l.judgeRules(subject, application, resolved)...)
			report.Warnings = append(report.Warnings, advise(subject, application, resolved)...)
		case len(findings) == 0:
			findings = append(findings, subject.finding(CheckSchema, "", err.Error()))
		}
	}
	report.Findings = append(report.Findings, findings...)
}

// subject is a document with the object that is created by it, and the schema of
// its kind; nil for a kind or version that does not exist.
type subject struct {
	manifest.Document
	object map[string]any
	schema *crdschema.Schema
}

// about fills in the namespace as kubectl does, and leaves out the status, which
// kube-apiserver drops when an object is created.
func (l *Linter) about(document manifest.Document) subject {
	object := maps.Clone(document.Object)
	delete(object, "status")
	kind := l.schemas[text(object, "kind")]
	if text(object, "apiVersion") != v1alpha1.GroupVersion.String() {
		kind = nil
	}
	metadata, isObject := object["metadata"].(map[string]any)
	if isObject && metadata["namespace"] == nil && kind != nil && kind.Namespaced {
		metadata = maps.Clone(metadata)
		metadata["namespace"] = l.Namespace
		object["metadata"] = metadata
	}
	return subject{document, object, kind}
}

func (s subject) unknownKind() Finding {
	finding := s.finding(CheckFields, "kind", "the API group "+v1alpha1.GroupVersion.Group+" has no such kind or version")
	finding.Remedy = "write apiVersion: " + v1alpha1.GroupVersion.String() + " and kind: " + Kind + " or " + PolicyKind
	return finding
}

// judgeFields tells of what would be lost without a word before any rule is
// asked.
func (s subject) judgeFields() []Finding {
	var findings []Finding
	for _, path := range s.Repeated {
		finding := s.finding(CheckFields, path, "the field is stated more than once, and kubectl drops all but the last")
		finding.Remedy = "state it once"
		findings = append(findings, finding)
	}
	for _, path := range s.schema.UnknownFields(s.object) {
		finding := s.finding(CheckFields, path, "there is no such field, and without strict field validation kube-apiserver drops it before any rule is asked")
		finding.Remedy = "remove it"
		if name := s.schema.KnownAs(path); name != "" {
			finding.Remedy = "write " + name
		}
		findings = append(findings, finding)
	}
	return findings
}

func (s subject) judgeSchema(ctx context.Context) []Finding {
	var findings []Finding
	for _, err := range s.schema.Create(ctx, s.object) {
		findings = append(findings, s.finding(CheckSchema, err.Field, withoutValue(err)))
	}
	return findings
}

// withoutValue quotes no value: where a key set is expected, a private key may stand.
func withoutValue(err *field.Error) string {
	if err.Detail == "" {
		return err.Type.String()
	}
	return err.Type.String() + ": " + err.Detail
}

// decode reads an object as the webhook does.
func decode[T any](object map[string]any) (*T, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode the object: %w", err)
	}
	decoded := new(T)
	if err := utiljson.Unmarshal(encoded, decoded); err != nil {
		return nil, fmt.Errorf("a value has the wrong type: %w", err)
	}
	return decoded, nil
}

// resolve is what the webhook knows besides the manifest.
func resolve(application *v1alpha1.FAPIApplication, policies []v1alpha1.FAPIPolicy) clientmetadata.Resolved {
	return clientmetadata.Resolved{
		Policies:       clientmetadata.PoliciesFor(application.Namespace, policies),
		CertificateURI: clientmetadata.CertificateURI(installation, clientmetadata.ClientID(application)),
	}
}

func (l *Linter) judgeRules(s subject, application *v1alpha1.FAPIApplication, resolved clientmetadata.Resolved) []Finding {
	var findings []Finding
	for _, broken := range clientmetadata.Judge(application, resolved, l.Limits) {
		finding := s.finding(CheckRule, broken.Path.String(), broken.Demand)
		finding.Rule, finding.Clause, finding.Remedy = broken.Rule, broken.Clause, broken.Remedy
		findings = append(findings, finding)
	}
	return findings
}

func advise(s subject, application *v1alpha1.FAPIApplication, resolved clientmetadata.Resolved) []Finding {
	var warnings []Finding
	for _, advice := range clientmetadata.Advise(application, resolved) {
		warning := s.finding(CheckAdvice, advice.Member, advice.Warning)
		warning.Rule, warning.Clause, warning.Remedy = advice.ID, advice.Clause, advice.Remedy
		warnings = append(warnings, warning)
	}
	return warnings
}

func (s subject) finding(check Check, path, demand string) Finding {
	finding := Finding{File: s.File, Line: s.Line, Check: check, Field: path, Demand: demand}
	if s.object != nil {
		object := unstructured.Unstructured{Object: s.object}
		finding.Namespace, finding.Name = object.GetNamespace(), object.GetName()
	}
	if path != "" {
		finding.Line = s.LineOf(path)
	}
	return finding
}

func text(object map[string]any, member string) string {
	value, _ := object[member].(string)
	return value
}

// Rules are the identifiers of the broken rules, in the order of the findings.
func (r Report) Rules() []oauth.RuleID {
	rules := []oauth.RuleID{}
	for _, finding := range r.Findings {
		if finding.Rule != "" {
			rules = append(rules, finding.Rule)
		}
	}
	return rules
}
