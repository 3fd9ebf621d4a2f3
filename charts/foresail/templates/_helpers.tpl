{{- define "foresail.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 characters leave room for the suffixes. */}}
{{- define "foresail.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "foresail.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "foresail.selectorLabels" -}}
app.kubernetes.io/name: {{ include "foresail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "foresail.labels" -}}
{{ include "foresail.selectorLabels" . }}
{{ include "foresail.commonLabels" . }}
{{- end -}}

{{- define "foresail.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: foresail
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "foresail.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "foresail.fullname" .) -}}
{{- end -}}

{{- define "foresail.subject" -}}
- kind: ServiceAccount
  name: {{ include "foresail.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* The port of config.http.address. */}}
{{- define "foresail.port" -}}
{{- regexFind "[0-9]+$" .Values.config.http.address -}}
{{- end -}}

{{- define "foresail.tls" -}}
{{- if or .Values.tls.secretName (hasKey .Values.config.http "tls") }}true{{ end -}}
{{- end -}}

{{/* Where pods of training runs reach the operator. */}}
{{- define "foresail.address" -}}
{{- $scheme := ternary "https" "http" (eq (include "foresail.tls" .) "true") -}}
{{- printf "%s://%s-training.%s.svc:%s" $scheme (include "foresail.fullname" .) .Release.Namespace (include "foresail.port" .) -}}
{{- end -}}

{{/* Whether ModelDeployments may follow registered models: what training makes is served by whoever follows it. */}}
{{- define "foresail.registries" -}}
{{- if hasKey .Values.config.modelServing "registries" -}}
{{- if .Values.config.modelServing.registries }}true{{ end -}}
{{- else if .Values.config.training.enabled }}true{{ end -}}
{{- end -}}

{{- define "foresail.leaseName" -}}
{{- .Values.config.leaderElection.name | default (include "foresail.fullname" .) -}}
{{- end -}}

{{- define "foresail.leaseNamespace" -}}
{{- .Values.config.leaderElection.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "foresail.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The operator's configuration file: the values, and what follows from the rest of the chart. */}}
{{- define "foresail.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config.leaderElection "name" (include "foresail.leaseName" .) -}}
{{- $_ := set $config.modelServing "image" ($config.modelServing.image | default (include "foresail.image" .)) -}}
{{- if $config.training.enabled -}}
{{- if and .Values.tls.secretName (not $config.training.address) (not (hasKey $config.training "caFile")) -}}
{{- $_ := set $config.training "caFile" "/etc/foresail/tls/ca.crt" -}}
{{- end -}}
{{- $_ := set $config.training "address" ($config.training.address | default (include "foresail.address" .)) -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $config.http "tls" (dict "certFile" "/etc/foresail/tls/tls.crt" "keyFile" "/etc/foresail/tls/tls.key") -}}
{{- end -}}
{{ toYaml $config }}
{{- end -}}

{{/* A CEL map from "group/Kind" to the resource. */}}
{{- define "foresail.celTargets" -}}
{{- $pairs := list -}}
{{- $seen := dict -}}
{{- range .Values.scaleTargets -}}
{{- $key := printf "%s/%s" .apiGroup .kind -}}
{{- if hasKey $seen $key -}}
{{- fail (printf "scaleTargets: %s is listed twice" $key) -}}
{{- end -}}
{{- $_ := set $seen $key true -}}
{{- $pairs = append $pairs (printf "'%s': '%s'" $key .resource) -}}
{{- end -}}
{ {{- join ", " $pairs -}} }
{{- end -}}

{{/* Where the operator works: a binding for the whole cluster, or one in each of config.namespaces. Labels and subject
are the operator's unless others are given. */}}
{{- define "foresail.bindings" -}}
{{- $root := .root -}}
{{- $role := .role -}}
{{- $labels := .labels | default (include "foresail.labels" $root) -}}
{{- $subject := .subject | default (include "foresail.subject" $root) -}}
{{- if $root.Values.config.namespaces -}}
{{- range $root.Values.config.namespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $role }}
  namespace: {{ . }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $role }}
subjects:
  {{- $subject | nindent 2 }}
{{- end }}
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $role }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $role }}
subjects:
  {{- $subject | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How Prometheus says who it is. */}}
{{- define "foresail.scrapeToken" -}}
{{- with .Values.serviceMonitor.tokenSecret }}
{{- if .name -}}
authorization:
  type: Bearer
  credentials:
    name: {{ .name }}
    key: {{ .key }}
{{- else -}}
bearerTokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
{{- end -}}
{{- end -}}
{{- end -}}

{{/* sha256 of the model in the box. */}}
{{- define "foresail.boxModelDigest" -}}
{{- .Files.Get "files/box-model.sha256" | trim -}}
{{- end -}}
