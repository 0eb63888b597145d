{{/* Names, labels and addresses that several templates share. */}}

{{/* The release's name, with the chart's in it. The longest suffix is -key-encryption-key. */}}
{{- define "name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "labels" -}}
{{ include "release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What every object of the release has, and what never changes. */}}
{{- define "release" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* A LabelSelector as text, as a flag takes it. */}}
{{- define "labelSelector" -}}
{{- $terms := list -}}
{{- range $key, $value := .matchLabels -}}
{{- $terms = append $terms (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- range .matchExpressions -}}
{{- if eq .operator "Exists" -}}
{{- $terms = append $terms .key -}}
{{- else if eq .operator "DoesNotExist" -}}
{{- $terms = append $terms (printf "!%s" .key) -}}
{{- else -}}
{{- $terms = append $terms (printf "%s %s (%s)" .key (lower .operator) (join "," .values)) -}}
{{- end -}}
{{- end -}}
{{- join "," $terms -}}
{{- end }}

{{/* What selects a program's pods. */}}
{{- define "operator.selector" -}}
{{ include "release" . }}
app.kubernetes.io/component: operator
{{- end }}

{{/* The flags that say which FAPIApplications are served. */}}
{{- define "operator.served" -}}
{{- with .Values.operator.serverClass }}
- --server-class={{ . }}
{{- end }}
{{- with .Values.operator.namespaces }}
- --namespaces={{ join "," . }}
{{- end }}
{{- with include "labelSelector" .Values.operator.namespaceSelector }}
- {{ printf "--namespace-selector=%s" . | quote }}
{{- end }}
{{- end }}

{{- define "authserver.selector" -}}
{{ include "release" . }}
app.kubernetes.io/component: authserver
{{- end }}

{{/* image: dict "image" "version" */}}
{{- define "image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end }}

{{- define "issuer" -}}
{{ .Values.config.issuer | default (printf "https://%s-public.%s.svc" (include "name" .) .Release.Namespace) }}
{{- end }}

{{- define "mtlsBaseURL" -}}
{{ .Values.config.mtlsBaseURL | default (printf "https://%s-mtls.%s.svc" (include "name" .) .Release.Namespace) }}
{{- end }}

{{/* host URL: without port, as certificates and routes name it. */}}
{{- define "host" -}}
{{ regexReplaceAll ":[0-9]+$" (urlParse .).host "" }}
{{- end }}

{{- define "privateHost" -}}
{{ include "name" . }}-private.{{ .Release.Namespace }}.svc
{{- end }}

{{/* The operator's name in its certificate for the private listener. */}}
{{- define "operatorURI" -}}
spiffe://cluster.local/ns/{{ .Release.Namespace }}/sa/{{ include "name" . }}
{{- end }}

{{- define "keyEncryptionKeySecret" -}}
{{ .Values.keyEncryptionKey.existingSecret | default (printf "%s-key-encryption-key" (include "name" .)) }}
{{- end }}

{{- define "volumeClaim" -}}
{{ .Values.store.sqlite.existingClaim | default (printf "%s-store" (include "name" .)) }}
{{- end }}

{{/* certificateSecret: dict "root" "of". A given Secret, or the one that cert-manager fills. */}}
{{- define "certificateSecret" -}}
{{- $given := index .root.Values.certificates.existingSecrets .of -}}
{{- if not (or $given .root.Values.certificates.certManager) -}}
{{- fail (printf "certificates.existingSecrets.%s is missing: without cert-manager name a Secret with tls.crt and tls.key; values.yaml says for which names" .of) -}}
{{- end -}}
{{ $given | default (printf "%s-%s-tls" (include "name" .root) .of) }}
{{- end }}

{{/* selfTestCA: the Secret with the CA of the certificate that clients with a certificate meet; empty for the system's. */}}
{{- define "selfTestCA" -}}
{{- $mtls := .Values.certificates.existingSecrets.mtls -}}
{{- $own := and .Values.certificates.certManager (not .Values.certificates.issuerRef) (not $mtls) -}}
{{- if .Values.operator.selfTest.enabled -}}
{{- if .Values.operator.selfTest.caSecret -}}
{{ .Values.operator.selfTest.caSecret }}
{{- else if $own -}}
{{ include "certificateSecret" (dict "root" . "of" "mtls") }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* peers LIST: NetworkPolicyPeers; everywhere when there are none. */}}
{{- define "peers" -}}
{{ . | default (list (dict "ipBlock" (dict "cidr" "0.0.0.0/0")) (dict "ipBlock" (dict "cidr" "::/0"))) | toJson }}
{{- end }}

{{/* ports LIST: of TCP. */}}
{{- define "ports" -}}
{{- $ports := list -}}
{{- range . }}{{ $ports = append $ports (dict "protocol" "TCP" "port" .) }}{{ end -}}
{{ $ports | toJson }}
{{- end }}
