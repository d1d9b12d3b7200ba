import { BUSYBOX_IMAGE } from '#scripts/demo/images.ts';

/** A pod with one container named `main` that runs a shell script; ends at once when it is deleted. */
export function shellPod(name: string, script: string, more: { spec?: object; container?: object } = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec: podSpec(script, more) };
}

/** A Deployment of such pods. */
export function shellDeployment(name: string, replicas: number, script: string): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(script) };
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, strategy, selector: { matchLabels: labels }, template },
  };
}

/** Serves `page\n` at /index.html, and at /cgi-bin/echo what it was asked for. */
export const WEB_SERVER = [
  'mkdir -p /www/cgi-bin',
  'echo page > /www/index.html',
  `printf '#!/bin/sh\\necho; echo "$REQUEST_METHOD $REQUEST_URI"; cat\\n' > /www/cgi-bin/echo`,
  'chmod +x /www/cgi-bin/echo',
  'echo serving',
  'exec httpd -f -p 8080 -h /www',
].join('\n');

/** Waits for ever, at no cost. */
export const IDLE = 'exec sleep infinity';

export function configMap(name: string, data: Record<string, string>): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data };
}

export function namespace(name: string, labels: Record<string, string> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function podSpec(script: string, { spec, container }: { spec?: object; container?: object } = {}): object {
  const main = { name: 'main', image: BUSYBOX_IMAGE, imagePullPolicy: 'Never', command: ['sh', '-c', script] };
  // A test cluster has no DNS, of which the kubelet would complain for every pod; nor does any of these use its token.
  const spare = { dnsPolicy: 'Default', automountServiceAccountToken: false, terminationGracePeriodSeconds: 0 };
  return { ...spare, containers: [{ ...main, ...container }], ...spec };
}
