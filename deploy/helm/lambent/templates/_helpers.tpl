{{- define "lambent.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "lambent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "lambent.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "lambent.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "lambent.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lambent.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lambent.labels" -}}
{{ include "lambent.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "lambent.cluster" -}}
{{ include "lambent.fullname" . }}-db
{{- end -}}

{{- define "lambent.scheme" -}}
{{ ternary "https" "http" (not (empty .Values.tls.secret)) }}
{{- end -}}

{{- /* What has to be chosen, with the reason why there is no default. */ -}}
{{- define "lambent.check" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository: build the image from deploy/image/Dockerfile, push it to a registry of yours and name it here" -}}
{{- end -}}
{{- if and (not .Values.database.existingSecret) (not .Values.database.cloudNativePG.enabled) -}}
{{- fail "database: nodes share one PostgreSQL database; set database.existingSecret or database.cloudNativePG.enabled" -}}
{{- end -}}
{{- if and .Values.database.existingSecret .Values.database.cloudNativePG.enabled -}}
{{- fail "database: set database.existingSecret or database.cloudNativePG.enabled, not both" -}}
{{- end -}}
{{- if eq (empty .Values.packages.url) (empty .Values.packages.existingClaim) -}}
{{- fail "packages: nodes share packages; set packages.url (a bucket) or packages.existingClaim (a volume of mode ReadWriteMany)" -}}
{{- end -}}
{{- end -}}
