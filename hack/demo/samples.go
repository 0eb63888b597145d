package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

const (
	samplesNamespace = "fapi-samples"
	readyPatience    = "2m"
)

var (
	samplesFolder = filepath.Join("config", "samples")
	brokenFile    = filepath.Join(samplesFolder, "broken.yaml")
	// sampleNames are the applications of the samples, in the order of the account.
	sampleNames = []string{"account-overview", "payment-initiation", "budget-planner", "account-aggregator"}
)

func (d *demo) applySamples(ctx context.Context) error { return d.apply(ctx, "-k", samplesFolder) }

// brokenRules is in how many ways the broken sample is broken.
const brokenRules = 5

// applyBroken holds when the manifest is refused by that many rules at once.
func (d *demo) applyBroken(ctx context.Context) error {
	return d.account.timed(func() (string, error) {
		_, err := d.kubectl(ctx, "apply", "--server-side", "-n", samplesNamespace, "-f", brokenFile)
		if err == nil {
			return "", fmt.Errorf("%s was admitted", brokenFile)
		}
		refusal := &kubectlError{}
		if !errors.As(err, &refusal) {
			return "", err
		}
		d.account.quote(refusal.said)
		rules := ruleIdentifiers(refusal.said)
		if len(rules) != brokenRules {
			return "", fmt.Errorf("%s was not refused by %d rules but by %d %v: %w", brokenFile, brokenRules, len(rules), rules, err)
		}
		return "refused by five rules at once: " + strings.Join(rules, ", "), nil
	})
}

// ruleInRefusal is how a finding writes its rule: (identifier; clause).
var ruleInRefusal = regexp.MustCompile(`\(([A-Z][A-Z0-9]*(?:-[A-Z0-9.]+)+); `)

// ruleIdentifiers are the distinct rules that a refusal names, in its order.
func ruleIdentifiers(refusal string) []string {
	var rules []string
	for _, match := range ruleInRefusal.FindAllStringSubmatch(refusal, -1) {
		if !slices.Contains(rules, match[1]) {
			rules = append(rules, match[1])
		}
	}
	return rules
}

// awaitReady waits for every sample, and reads it then.
func (d *demo) awaitReady(ctx context.Context) error {
	d.applications = nil
	for _, name := range sampleNames {
		if err := d.account.timed(func() (string, error) { return d.awaitApplication(ctx, name) }); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) awaitApplication(ctx context.Context, name string) (string, error) {
	if _, err := d.kubectl(ctx, "wait", "--for=condition=Ready", "--timeout="+readyPatience, "-n", samplesNamespace, "fapiapplication/"+name); err != nil {
		description, _ := d.kubectl(ctx, "describe", "-n", samplesNamespace, "fapiapplication/"+name) // The first error counts.
		return "", fmt.Errorf("%s is not Ready: %w\n%s", name, err, description)
	}
	application := &v1alpha1.FAPIApplication{}
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: samplesNamespace, Name: name}, application); err != nil {
		return "", fmt.Errorf("read application %s: %w", name, err)
	}
	if application.Status.Effective == nil || application.Status.Registration == nil {
		return "", fmt.Errorf("application %s is Ready, but its status lacks settings or registration", name)
	}
	d.applications = append(d.applications, application)
	return fmt.Sprintf("Ready: %s as client %s (%s)", name, application.Status.ClientID, application.Status.Profile), nil
}
