package export

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// maxNameLength of a FAPIApplication, in characters.
const maxNameLength = 63

// Manifest is a client as a FAPIApplication.
type Manifest struct {
	// Source is the client's identifier at the other server.
	Source    string
	Namespace string
	Name      string
	Spec      v1alpha1.FAPIApplicationSpec
	// Refused are rules that the client breaks as it is.
	Refused []registration.Violation
	// Lost is what is not in Spec.
	Lost []Loss
}

// Target is what the manifests are written for.
type Target struct {
	Namespace string
	// KeepClientIDs states identifiers that do not begin with the namespace, which
	// a FAPIPolicy has to allow.
	KeepClientIDs bool
}

// Manifests turns clients into FAPIApplications, each with a name of its own.
func (c Clients) Manifests(target Target) []Manifest {
	var manifests []Manifest
	names := map[string]bool{}
	for _, client := range c.Clients {
		name := unusedName(nameOf(client.ID, target.Namespace), names)
		names[name] = true
		manifests = append(manifests, client.manifest(target, name))
	}
	return manifests
}

func (c Client) manifest(target Target, name string) Manifest {
	manifest := Manifest{Source: c.ID, Namespace: target.Namespace, Name: name, Refused: c.Refused(), Lost: slices.Clone(c.Lost)}
	stated := withoutFixed(c.Metadata)
	manifest.Spec = clientmetadata.ToSpec(stated)
	switch clientID := target.Namespace + "." + name; {
	case c.ID == clientID:
		manifest.Spec.ClientID = "" // the default
	case !target.KeepClientIDs:
		manifest.Spec.ClientID = ""
		manifest.Lost = append(manifest.Lost, Loss{"client_id", "it becomes " + clientID + ", since identifiers begin with the namespace (LOCAL-CLIENT-ID-NAMESPACE): tell the client"})
	}
	for _, member := range unsaid(stated, manifest) {
		manifest.Lost = append(manifest.Lost, Loss{member, "no field of a FAPIApplication says this"})
	}
	return manifest
}

// withoutFixed leaves out what FAPI fixes to another value, so that FAPI's holds.
func withoutFixed(m registration.Metadata) registration.Metadata {
	for _, demand := range []**bool{&m.PKCERequired, &m.RequirePushedAuthorizationRequests} {
		if *demand != nil && !**demand {
			*demand = nil
		}
	}
	if m.CodeChallengeMethod != oauth.CodeChallengeMethodS256 {
		m.CodeChallengeMethod = ""
	}
	for _, constraint := range []**bool{&m.DPoPBoundAccessTokens, &m.TLSClientCertificateBoundAccessTokens} {
		if *constraint != nil && !**constraint {
			*constraint = nil
		}
	}
	return m
}

// unsaid are the members that the manifest does not say again.
func unsaid(stated registration.Metadata, manifest Manifest) []string {
	application := &v1alpha1.FAPIApplication{Spec: manifest.Spec}
	said := members(clientmetadata.FromApplication(application, clientmetadata.Resolved{}))
	var unsaid []string
	for member, value := range members(stated) {
		if member != "client_id" && said[member] != value {
			unsaid = append(unsaid, member)
		}
	}
	slices.Sort(unsaid)
	return unsaid
}

func members(m registration.Metadata) map[string]string {
	encoded, err := m.Encode()
	if err != nil {
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &values); err != nil {
		return nil
	}
	texts := map[string]string{}
	for member := range maps.Keys(values) {
		texts[member] = string(values[member])
	}
	return texts
}

// nameOf makes a DNS label of a client identifier.
func nameOf(clientID, namespace string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, strings.TrimPrefix(clientID, namespace+"."))
	if len(label) > maxNameLength {
		label = label[:maxNameLength]
	}
	label = strings.Trim(label, "-")
	if label == "" {
		return "client"
	}
	return label
}

func unusedName(name string, used map[string]bool) string {
	candidate := name
	for i := 2; used[candidate]; i++ {
		suffix := fmt.Sprintf("-%d", i)
		candidate = name[:min(len(name), maxNameLength-len(suffix))] + suffix
	}
	return candidate
}

// Lines tell what FAPI refuses of the client, and what was not carried over.
func (m Manifest) Lines() []string {
	var lines []string
	for _, violation := range m.Refused {
		lines = append(lines, "refused: "+violation.String())
	}
	for _, loss := range m.Lost {
		lines = append(lines, "not carried over: "+loss.Member+": "+loss.Reason)
	}
	for i := range lines {
		lines[i] = terminal.Printable(lines[i])
	}
	return lines
}

// readableAsYAML escapes what JSON allows in strings and YAML does not (YAML 1.1,
// 5.1): control characters beyond ASCII's, and what is no character.
func readableAsYAML(encoded []byte) []byte {
	var text strings.Builder
	for _, r := range string(encoded) {
		if r == '\x7f' || r >= '\u0080' && r <= '\u009f' || r == '\ufeff' || r == '\ufffe' || r == '\uffff' {
			fmt.Fprintf(&text, `\u%04x`, r)
		} else {
			text.WriteRune(r)
		}
	}
	return []byte(text.String())
}

// Write writes the manifest, and its lines as comments above it.
func (m Manifest) Write(out io.Writer) error {
	encoded, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "FAPIApplication",
		"metadata":   map[string]string{"namespace": m.Namespace, "name": m.Name},
		"spec":       m.Spec,
	})
	if err != nil {
		return fmt.Errorf("write the manifest of %q: %w", m.Source, err)
	}
	document, err := yaml.JSONToYAML(readableAsYAML(encoded))
	if err != nil {
		return fmt.Errorf("write the manifest of %q: %w", m.Source, err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "---\n# %s\n", terminal.Printable("client "+m.Source))
	for _, line := range m.Lines() {
		text.WriteString("# " + line + "\n")
	}
	text.Write(document)
	_, err = io.WriteString(out, text.String())
	return err
}
