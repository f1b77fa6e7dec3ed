{{/* The names begin with the name of the release. */}}
{{- define "sluice.fullname" -}}
{{- if contains "sluice" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sluice" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sluice.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "sluice.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "sluice.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* What a process gets of the Secret: a map from a setting to a key of the Secret. Takes a list of the root and the process. */}}
{{- define "sluice.secretsOf" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- $keys := $root.Values.secretKeys -}}
{{- $all := dict -}}
{{- if eq $process "migrate" -}}
{{- if $keys.databaseOwnerUrl -}}
{{- $_ := set $all "DATABASE_URL" $keys.databaseOwnerUrl -}}
{{- else -}}
{{- $_ := set $all "DATABASE_URL" $keys.databaseUrl -}}
{{- $_ := set $all "DATABASE_DIRECT_URL" $keys.databaseDirectUrl -}}
{{- end -}}
{{- else -}}
{{- $_ := set $all "DATABASE_URL" $keys.databaseUrl -}}
{{- $_ := set $all "DATABASE_DIRECT_URL" $keys.databaseDirectUrl -}}
{{- $_ := set $all "REDIS_URL" $keys.redisUrl -}}
{{- $_ := set $all "MASTER_KEY" $keys.masterKey -}}
{{- $_ := set $all "GEMINI_API_KEY" $keys.geminiApiKey -}}
{{- $_ := set $all "OTEL_EXPORTER_OTLP_HEADERS" $keys.otlpHeaders -}}
{{- end -}}
{{- if eq $process "gateway" -}}
{{- $_ := set $all "ADMIN_API_KEY" $keys.adminApiKey -}}
{{- $_ := set $all "GEMINI_SIGNING_SECRET" $keys.geminiSigningSecret -}}
{{- $_ := set $all "METRICS_KEY" $keys.metricsKey -}}
{{- end -}}
{{- $given := dict -}}
{{- range $setting, $key := $all }}{{ if $key }}{{ $_ := set $given $setting $key }}{{ end }}{{ end -}}
{{- toJson $given -}}
{{- end -}}

{{/* A process reads each secret from a file. Takes a list of the root and the process. */}}
{{- define "sluice.secretEnv" -}}
{{- range $setting, $key := fromJson (include "sluice.secretsOf" .) }}
- { name: {{ $setting }}_FILE, value: /var/run/secrets/sluice/{{ $setting }} }
{{- end }}
{{- end -}}

{{/* Takes a list of the root, the process, and the name of the volume. */}}
{{- define "sluice.secretVolume" -}}
{{- $root := index . 0 -}}
- name: {{ index . 2 }}
  secret:
    secretName: {{ required "existingSecret is the name of the Secret with the URLs and keys: docs/kubernetes.md" $root.Values.existingSecret }}
    # Readable by the group of the Pod alone.
    defaultMode: 0440
    items:
    {{- range $setting, $key := fromJson (include "sluice.secretsOf" (list $root (index . 1))) }}
      - { key: {{ $key | quote }}, path: {{ $setting }} }
    {{- end }}
{{- end -}}

{{- define "sluice.migrateContainer" -}}
name: migrate
image: {{ include "sluice.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [node, migrate.mjs]
env:
  {{- include "sluice.secretEnv" (list . "migrate") | nindent 2 }}
resources: {{- toYaml .Values.migration.resources | nindent 2 }}
securityContext: {{- include "sluice.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - { name: migrate-secrets, mountPath: /var/run/secrets/sluice, readOnly: true }
  - { name: tmp, mountPath: /tmp }
{{- end -}}

{{/* Where Pods of a process run. Takes a list of the root and the process. */}}
{{- define "sluice.scheduling" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- $values := index $root.Values $process -}}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
{{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sluice.selectorLabels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $process }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Asks the worker from inside, as the compose file does: the path of a probe. */}}
{{- define "sluice.askWorker" -}}
[node, -e, "fetch('http://127.0.0.1:8082/{{ . }}').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
{{- end -}}
