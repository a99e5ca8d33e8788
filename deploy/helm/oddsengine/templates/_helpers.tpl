{{- define "odds.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "odds.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "odds.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "odds.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "odds.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ include "odds.name" . | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What pods of a role are selected by; called with a dict of `top` and `role`. */}}
{{- define "odds.selector" -}}
app.kubernetes.io/name: {{ include "odds.name" .top | quote }}
app.kubernetes.io/instance: {{ .top.Release.Name | quote }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "odds.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "odds.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "odds.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The roles that run, as JSON: for each its name, its values, its command and its port. */}}
{{- define "odds.roles" -}}
{{- $v := .Values -}}
{{- $roles := list -}}
{{- if $v.engine.enabled -}}
{{- $command := list "engine" -}}
{{- if or $v.feeder.enabled (not $v.engine.connectsFeeds) -}}{{- $command = append $command "--no-feeders" -}}{{- end -}}
{{- $roles = append $roles (dict "name" "engine" "values" $v.engine "command" $command) -}}
{{- end -}}
{{- if $v.feeder.enabled -}}
{{- $roles = append $roles (dict "name" "feeder" "values" $v.feeder "command" (list "feeder")) -}}
{{- end -}}
{{- if $v.gateway.enabled -}}
{{- $command := list "gateway" "--workers" ($v.gateway.workers | int | toString) -}}
{{- $roles = append $roles (dict "name" "gateway" "values" $v.gateway "command" $command) -}}
{{- end -}}
{{- if $v.archiver.enabled -}}
{{- $roles = append $roles (dict "name" "archiver" "values" $v.archiver "command" (list "archiver")) -}}
{{- end -}}
{{- range $broker := list "kafka" "rabbitmq" -}}
{{- if (index $v.bridge $broker).enabled -}}
{{- $roles = append $roles (dict "name" (printf "bridge-%s" $broker) "values" $v.bridge "command" (list "bridge" $broker)) -}}
{{- end -}}
{{- end -}}
{{- dict "roles" $roles | toJson -}}
{{- end -}}

{{/* The names of the secrets that a role gets, as JSON. */}}
{{- define "odds.secrets" -}}
{{- $role := .role -}}
{{- $names := list -}}
{{- range .top.Values.secrets -}}
{{- if or (not .roles) (has $role .roles) -}}{{- $names = append $names .name -}}{{- end -}}
{{- end -}}
{{- dict "names" ($names | uniq) | toJson -}}
{{- end -}}

{{/* The name of the volume of a secret: other than that of a secret, it has no dots and at most 63 characters. */}}
{{- define "odds.volume" -}}
{{- if regexMatch "^[a-z0-9-]{1,56}$" . -}}
secret-{{ . }}
{{- else -}}
secret-{{ . | replace "." "-" | trunc 47 }}-{{ sha256sum . | trunc 8 }}
{{- end -}}
{{- end -}}

{{/* What every container of a role has; called with a dict of `top` and `role`. */}}
{{- define "odds.container" -}}
image: {{ include "odds.image" .top | quote }}
imagePullPolicy: {{ .top.Values.image.pullPolicy }}
env:
  - {name: ODDSENGINE_REDIS__URL_FILE, value: /etc/oddsengine/redis/url}
  - {name: PYTHONDONTWRITEBYTECODE, value: "1"}
  {{- with .role.values.drainDelaySeconds }}
  - {name: ODDSENGINE_GATEWAY__DRAIN_DELAY_S, value: {{ . | toString | quote }}}
  {{- end }}
  {{- if .top.Values.podMonitor.enabled }}
  - {name: ODDSENGINE_METRICS__TOKEN_FILE, value: /etc/oddsengine/metrics/token}
  {{- end }}
  {{- with .top.Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources:
  {{- toYaml .role.values.resources | nindent 2 }}
volumeMounts:
  - {name: config, mountPath: /etc/oddsengine/config, readOnly: true}
  - {name: redis, mountPath: /etc/oddsengine/redis, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- if .top.Values.podMonitor.enabled }}
  - {name: metrics, mountPath: /etc/oddsengine/metrics, readOnly: true}
  {{- end }}
  {{- range (include "odds.secrets" (dict "top" .top "role" .role.name) | fromJson).names }}
  - {name: {{ include "odds.volume" . }}, mountPath: "/etc/oddsengine/secrets/{{ . }}", readOnly: true}
  {{- end }}
{{- end -}}
