{{- define "foresail.router.name" -}}
{{- include "foresail.fullname" . }}-router
{{- end -}}

{{- define "foresail.router.selectorLabels" -}}
app.kubernetes.io/name: {{ include "foresail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: router
{{- end -}}

{{- define "foresail.router.labels" -}}
{{ include "foresail.router.selectorLabels" . }}
{{ include "foresail.commonLabels" . }}
{{- end -}}

{{- define "foresail.router.subject" -}}
- kind: ServiceAccount
  name: {{ include "foresail.router.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
