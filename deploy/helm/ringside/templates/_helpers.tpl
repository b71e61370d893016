{{- define "ringside.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "ringside.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Labels of a component: (dict "root" $ "component" "node"). */}}
{{- define "ringside.labels" -}}
{{ include "ringside.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "ringside.selector" -}}
app.kubernetes.io/name: ringside
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "ringside.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Name and port of the control plane's gRPC endpoint, as nodes and proxies of this namespace reach it. */}}
{{- define "ringside.controlPlane" -}}
{{ include "ringside.name" . }}-control-plane:7401
{{- end }}

{{/* The container of a node behind a headless service: (dict "root" $ "service" "its name" "settings" (list "node.shard=shard-0") "resources" .Values.shards.resources). */}}
{{- define "ringside.nodeContainer" -}}
- name: node
  image: {{ include "ringside.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args:
    - node
    - --config
    - /config/ringside.yaml
    {{- $place := list "node.id=$(POD_NAME)" "node.bind=0.0.0.0" "node.adminTls=off" "node.dir=/data" (printf "node.advertise=$(POD_NAME).%s:7501" .service) (printf "node.adminAdvertise=$(POD_NAME).%s:7601" .service) }}
    {{- range concat $place .settings }}
    - --set
    - {{ . }}
    {{- end }}
    {{- if .root.Values.auth.existingSecret }}
    - --set
    - node.requirePass=$(RINGSIDE_PASSWORD)
    {{- end }}
  env:
    - name: POD_NAME
      valueFrom: { fieldRef: { fieldPath: metadata.name } }
    {{- if .root.Values.auth.existingSecret }}
    - name: RINGSIDE_PASSWORD
      valueFrom: { secretKeyRef: { name: {{ .root.Values.auth.existingSecret }}, key: password } }
    {{- end }}
  ports:
    - { name: resp, containerPort: 7501 }
    - { name: admin, containerPort: 7601 }
  startupProbe:
    tcpSocket: { port: resp }
    periodSeconds: 1
    failureThreshold: 60
  readinessProbe:
    httpGet: { path: /readyz, port: admin }
    periodSeconds: 2
  livenessProbe:
    httpGet: { path: /healthz, port: admin }
    periodSeconds: 10
    timeoutSeconds: 5
  resources: {{- toYaml .resources | nindent 4 }}
  securityContext: {{- include "ringside.containerSecurity" .root | nindent 4 }}
  volumeMounts:
    - { name: config, mountPath: /config, readOnly: true }
    - { name: data, mountPath: /data }
    {{- if .root.Values.tls.existingSecret }}
    - { name: tls, mountPath: /tls, readOnly: true }
    {{- end }}
{{- end }}
