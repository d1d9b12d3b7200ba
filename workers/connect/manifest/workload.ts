import { AGENT_ACCOUNT, AGENT_CONFIG, AGENT_DEPLOYMENT, NAMESPACE, REGISTRATION_SECRET } from '#schema/kube/names.ts';
import type { YamlDocument } from '../../yaml.ts';
import { LABELS, SELECTOR } from './labels.ts';

/** One serves, the other stands by and takes over within a second. */
const REPLICAS = 2;
/** The image's own user; in no passwd file of any node. */
const USER = 65532;
const STATUS_PORT = 8081;
/** Draining takes 30 s at most (`schema/protocol/limits.ts` DRAIN_MS). */
const GRACE_SECONDS = 45;

const REGISTRATION_DIR = '/var/run/outrider/registration';
const CONFIG_DIR = '/var/run/outrider/config';

const metadata = { name: AGENT_DEPLOYMENT, namespace: NAMESPACE, labels: LABELS };

/** Ready and alive mean the process, never the plane: a plane that is away must restart nothing, and stop no rollout. */
const probe = (periodSeconds: number) => ({
  httpGet: { path: '/healthz', port: 'status' },
  periodSeconds,
  timeoutSeconds: 5,
});

const container = (image: string) => ({
  name: 'agent',
  image,
  imagePullPolicy: 'IfNotPresent',
  env: [
    { name: 'OUTRIDER_SERVER', valueFrom: { configMapKeyRef: { name: AGENT_CONFIG, key: 'server' } } },
    { name: 'OUTRIDER_CA_FILE', value: `${CONFIG_DIR}/ca.crt` },
    { name: 'OUTRIDER_REGISTRATION_TOKEN_FILE', value: `${REGISTRATION_DIR}/token` },
    { name: 'OUTRIDER_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
  ],
  ports: [{ name: 'status', containerPort: STATUS_PORT }],
  livenessProbe: probe(20),
  readinessProbe: probe(10),
  resources: { requests: { cpu: '50m', memory: '100Mi' }, limits: { memory: '256Mi' } },
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  },
  volumeMounts: [
    { name: 'registration', mountPath: REGISTRATION_DIR, readOnly: true },
    { name: 'config', mountPath: CONFIG_DIR, readOnly: true },
  ],
});

/**
 * The agent's pods, and how many of them an eviction must leave.
 * @param checksum of what the pods read when they start: a change of it restarts them
 */
export function workload(image: string, checksum: string): YamlDocument[] {
  return [
    {
      value: {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: {
          replicas: REPLICAS,
          revisionHistoryLimit: 3,
          selector: { matchLabels: SELECTOR },
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
          template: {
            metadata: { labels: LABELS, annotations: { 'outrider.dev/config-checksum': checksum } },
            spec: {
              serviceAccountName: AGENT_ACCOUNT,
              terminationGracePeriodSeconds: GRACE_SECONDS,
              nodeSelector: { 'kubernetes.io/os': 'linux' },
              securityContext: {
                runAsNonRoot: true,
                runAsUser: USER,
                runAsGroup: USER,
                fsGroup: USER,
                seccompProfile: { type: 'RuntimeDefault' },
              },
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: 'kubernetes.io/hostname',
                  whenUnsatisfiable: 'ScheduleAnyway',
                  labelSelector: { matchLabels: SELECTOR },
                },
              ],
              containers: [container(image)],
              volumes: [
                { name: 'registration', secret: { secretName: REGISTRATION_SECRET, optional: true } },
                { name: 'config', configMap: { name: AGENT_CONFIG } },
              ],
            },
          },
        },
      },
    },
    {
      value: {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata,
        spec: { minAvailable: 1, selector: { matchLabels: SELECTOR } },
      },
    },
  ];
}
