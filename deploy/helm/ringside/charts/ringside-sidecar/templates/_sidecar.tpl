{{/*
The Ringside proxy as a native sidecar: one line under `initContainers:` of an app's own pod.

  initContainers:
    {{- include "ringside.sidecar" (dict "controlPlane" "ringside-control-plane:7401" "image" "ringside:0.1.0") | nindent 4 }}

The app then talks to 127.0.0.1: RESP 7379, memcached 7311, HTTP 7380, gRPC 7381. The helper needs no permission, and a
volume only where a key below says so. Keys of the dictionary:
  controlPlane     host:port of the control plane's gRPC port (required)
  image            image with tag (required)
  imagePullPolicy  default IfNotPresent
  name             container's name, default ringside
  resources        default: requests 100m CPU and 128Mi, limit 256Mi
  args             more arguments of `ringside proxy`, a list, e.g. (list "--set" "proxy.operationTimeoutMs=500")
  passwordSecret   name of a Secret whose key `password` opens the nodes
  tlsSecret        name of a Secret with ca.crt, tls.crt and tls.key; the pod has a volume of that name
  allowedNames     with tlsSecret: the names the proxy accepts of nodes and control plane
  configMap        name of a ConfigMap with ringside.yaml; the pod has a volume of that name
*/}}
{{- define "ringside.sidecar" -}}
- name: {{ .name | default "ringside" }}
  restartPolicy: Always
{{ include "ringside.proxyContainer" (merge (dict "bind" "127.0.0.1" "clientTls" (ternary "off" "" (hasKey . "tlsSecret"))) .) | indent 2 }}
{{- end }}

{{/* What the sidecar and the proxy Deployment share; everything of the container but its name. */}}
{{- define "ringside.proxyContainer" -}}
image: {{ required "ringside.sidecar: image is required" .image | quote }}
imagePullPolicy: {{ .imagePullPolicy | default "IfNotPresent" }}
args:
  - proxy
  {{- if .configMap }}
  - --config
  - /config/ringside.yaml
  {{- end }}
  - --set
  - proxy.bind={{ .bind }}
  - --set
  - proxy.adminBind=0.0.0.0
  - --set
  - proxy.adminTls=off
  - --set
  - proxy.id=$(POD_NAME)
  - --set
  - proxy.adminAdvertise=$(POD_IP):7390
  - --set
  - proxy.controlPlane={{ required "ringside.sidecar: controlPlane is required" .controlPlane }}
  {{- if .passwordSecret }}
  - --set
  - proxy.nodePassword=$(RINGSIDE_PASSWORD)
  {{- end }}
  {{- if .tlsSecret }}
  - --set
  - 'tls={ca: /tls/ca.crt, cert: /tls/tls.crt, key: /tls/tls.key, allowedNames: {{ .allowedNames | default list | toJson }}}'
  {{- end }}
  {{- if .clientTls }}
  - --set
  - proxy.clientTls={{ .clientTls }}
  {{- end }}
  {{- range .args }}
  - {{ . | quote }}
  {{- end }}
env:
  - name: POD_NAME
    valueFrom: { fieldRef: { fieldPath: metadata.name } }
  - name: POD_IP
    valueFrom: { fieldRef: { fieldPath: status.podIP } }
  {{- if .passwordSecret }}
  - name: RINGSIDE_PASSWORD
    valueFrom: { secretKeyRef: { name: {{ .passwordSecret }}, key: password } }
  {{- end }}
ports:
  - { name: resp, containerPort: 7379 }
  - { name: memcached, containerPort: 7311 }
  - { name: http, containerPort: 7380 }
  - { name: grpc, containerPort: 7381 }
  - { name: admin, containerPort: 7390 }
startupProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 2
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  periodSeconds: 10
  timeoutSeconds: 5
resources:
  {{- if .resources }}
  {{- toYaml .resources | nindent 2 }}
  {{- else }}
  requests: { cpu: 100m, memory: 128Mi }
  limits: { memory: 256Mi }
  {{- end }}
securityContext:
  {{- include "ringside.containerSecurity" . | nindent 2 }}
{{- if or .tlsSecret .configMap }}
volumeMounts:
  {{- if .tlsSecret }}
  - { name: {{ .tlsSecret }}, mountPath: /tls, readOnly: true }
  {{- end }}
  {{- if .configMap }}
  - { name: {{ .configMap }}, mountPath: /config, readOnly: true }
  {{- end }}
{{- end }}
{{- end }}

{{- define "ringside.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}
