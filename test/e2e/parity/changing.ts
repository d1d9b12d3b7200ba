import { configMap, IDLE, shellPod } from '../../support/objects.ts';
import type { Command } from './commands.ts';
import { refused } from './commands.ts';

const BUSYBOX = 'docker.io/local/busybox:1';
const stale = { ...configMap('one', { a: '9' }), metadata: { name: 'one', resourceVersion: '1' } };

/** What changes the namespace, in this order: some find what an earlier one has made. */
export const CHANGING: readonly Command[] = [
  { run: 'create configmap one --from-literal=a=1', says: 'created' },
  refused('create configmap one --from-literal=a=1', 'configmaps "one" already exists'),
  { run: 'create -f -', input: { ...configMap('x', {}), metadata: { generateName: 'made-' } }, says: 'created' },
  { run: 'create secret generic hidden --from-literal=p=x', says: 'created' },
  { run: 'get secret hidden -o yaml', says: 'p: eA==' },
  { run: 'label configmap one tier=front', says: 'labeled' },
  refused('label configmap one tier=back', 'already has a value'),
  { run: 'annotate configmap one note=written', says: 'annotated' },
  { run: 'patch configmap one --type=merge -p {"data":{"b":"2"}}', says: 'patched' },
  { run: 'patch configmap one --type=merge -p {"data":{"b":"2"}}', says: 'patched (no change)' },
  { run: 'patch configmap one --type=json -p [{"op":"remove","path":"/data/b"}]', says: 'patched' },
  { run: 'apply -f -', input: configMap('one', { a: '2' }), says: 'missing the kubectl.kubernetes.io/last-applied' },
  { run: 'apply -f -', input: configMap('one', { a: '2' }), says: 'unchanged' },
  {
    run: 'apply --server-side --field-manager=first -f -',
    input: configMap('two', { a: '1' }),
    says: 'serverside-applied',
  },
  refused(
    'apply --server-side --field-manager=second -f -',
    'Apply failed with 1 conflict: conflict with "first": .data.a',
    configMap('two', { a: '2' }),
  ),
  {
    run: 'apply --server-side --field-manager=second --force-conflicts -f -',
    input: configMap('two', { a: '2' }),
    says: 'serverside-applied',
  },
  { run: 'get configmap two -o yaml --show-managed-fields', says: 'manager: second' },
  { run: 'apply --dry-run=server -o yaml -f -', input: configMap('three', { a: '1' }) },
  { run: 'replace -f -', input: configMap('one', { a: '3' }), says: 'replaced' },
  refused('replace -f -', 'Conflict', stale),
  { run: 'scale deployment app --replicas=2', says: 'scaled' },
  refused('scale deployment app --replicas=1 --current-replicas=9', 'Expected replicas to be 9'),
  { run: 'autoscale deployment app --min=2 --max=3', says: 'autoscaled' },
  { run: 'expose deployment app --port=80', says: 'exposed' },
  { run: `set image deployment/app main=${BUSYBOX}.1 --dry-run=server`, says: 'image updated' },
  { run: 'set env deployment/app --list', says: '# Deployment app' },
  {
    run: `run late --image=${BUSYBOX} --image-pull-policy=Never -- sleep 1000`,
    says: 'Warning: would violate PodSecurity',
  },
  { run: 'create role reader --verb=get --resource=pods', says: 'created' },
  { run: 'create rolebinding reader --role=reader --user=somebody', says: 'created' },
  { run: 'create serviceaccount robot', says: 'created' },
  { run: 'create quota few --hard=count/jobs.batch=0', says: 'created' },
  { run: `create cronjob hourly --image=${BUSYBOX} --schedule=0_*_*_*_*`, code: 1, says: 'Invalid value' },
  { run: 'create ingress web --rule=host.example/=web:80', says: 'created' },
  { run: 'create poddisruptionbudget app --selector=app=app --min-available=1', says: 'created' },
  { run: 'create namespace {other}', says: 'created' },
  { run: 'delete namespace {other} --wait=false', says: 'deleted' },
  { run: 'taint node demo-node parity=yes:NoSchedule --dry-run=server', says: 'tainted' },
  { run: 'cordon demo-node --dry-run=server', says: 'cordoned' },
  { run: 'drain demo-node --dry-run=server --ignore-daemonsets --force --pod-selector=parity=none' },
  { run: `debug web --image=${BUSYBOX} --container=aside --profile=baseline -- true` },
  { run: 'rollout pause deployment/app', says: 'paused' },
  { run: 'rollout resume deployment/app', says: 'resumed' },
  { run: 'delete pod web --dry-run=server', says: 'deleted' },
  { run: 'delete configmap one two', says: 'deleted' },
  { run: 'delete pods -l nothing=here', says: 'No resources found' },
  { run: 'delete pod late --now', says: 'deleted' },
  { run: 'delete pod nosuch --ignore-not-found' },
  { run: 'create -f -', input: shellPod('later', IDLE), says: 'pod/later created' },
  { run: 'delete pod later --wait', says: 'deleted' },
];
