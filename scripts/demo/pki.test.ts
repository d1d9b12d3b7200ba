import { createPublicKey, createSign, createVerify, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CertificateFiles, type ClusterPki, createPki, type PkiOptions } from './pki.ts';

let options: PkiOptions;
let pki: ClusterPki;
let ca: X509Certificate;

beforeAll(async () => {
  options = {
    dir: join(await mkdtemp(join(tmpdir(), 'pki-')), 'pki'),
    nodeName: 'demo-node',
    hostAddress: '10.88.0.1',
    nodeAddress: '10.88.0.2',
    serviceAddress: '10.96.0.1',
  };
  pki = await createPki(options);
  ca = await certificate(pki.ca);
});
afterAll(() => rm(join(options.dir, '..'), { recursive: true }));

test('the API server is named by every address under which people, pods and the agent reach it', async () => {
  const { subjectAltName = '' } = await certificate(pki.certificates.apiServer);
  for (const address of ['127.0.0.1', '10.88.0.1', '10.96.0.1'])
    expect(subjectAltName).toContain(`IP Address:${address}`);
  for (const name of ['localhost', 'kubernetes.default.svc', 'demo-node'])
    expect(subjectAltName).toContain(`DNS:${name}`);
});

test.each([
  ['admin', 'O=system:masters\nCN=kubernetes-admin'],
  ['apiServerKubeletClient', 'O=system:masters\nCN=kube-apiserver-kubelet-client'],
  ['kubelet', 'O=system:nodes\nCN=system:node:demo-node'],
  ['controllerManager', 'CN=system:kube-controller-manager'],
  ['scheduler', 'CN=system:kube-scheduler'],
  ['kubeProxy', 'CN=system:kube-proxy'],
] as const)('%s has the subject that Kubernetes authorizes', async (name, subject) => {
  expect((await certificate(pki.certificates[name])).subject).toBe(subject);
});

test('each certificate is signed by the cluster authority, matches its key and is no authority itself', async () => {
  for (const [name, files] of Object.entries(pki.certificates)) {
    const leaf = await certificate(files);
    expect([name, leaf.verify(ca.publicKey)]).toEqual([name, name !== 'frontProxyClient']);
    expect([name, leaf.ca]).toEqual([name, false]);
    expect(await keyMatches(files, leaf)).toBe(true);
  }
  expect(ca.ca).toBe(true);
});

test('the aggregator is vouched for by an authority that vouches for nobody else', async () => {
  const frontProxy = await certificate(pki.frontProxyCa);
  const trusted = [];
  for (const [name, files] of Object.entries(pki.certificates)) {
    if ((await certificate(files)).verify(frontProxy.publicKey)) trusted.push(name);
  }
  expect(trusted).toEqual(['frontProxyClient']);
});

test('a client certificate cannot serve', async () => {
  expect((await certificate(pki.certificates.admin)).keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
});

test('keys are readable by their owner only', async () => {
  expect((await stat(options.dir)).mode & 0o777).toBe(0o700);
  const keys = (await readdir(options.dir)).filter((file) => file.endsWith('.key'));
  expect(keys.length).toBeGreaterThan(10);
  for (const file of keys) expect((await stat(join(options.dir, file))).mode & 0o777).toBe(0o600);
});

test('a second start keeps authority and service account key and renews the rest for the new address', async () => {
  const before = await readFile(pki.serviceAccount.privateKey, 'utf8');
  const again = await createPki({ ...options, hostAddress: '10.89.0.1' });
  expect(again.caPem).toBe(pki.caPem);
  expect(await readFile(again.serviceAccount.privateKey, 'utf8')).toBe(before);
  const server = await certificate(again.certificates.apiServer);
  expect(server.subjectAltName).toContain('IP Address:10.89.0.1');
  expect(server.verify(ca.publicKey)).toBe(true);
});

test('the public service account key belongs to the private one', async () => {
  const signature = createSign('sha256')
    .update('x')
    .sign(await readFile(pki.serviceAccount.privateKey));
  const publicKey = createPublicKey(await readFile(pki.serviceAccount.publicKey));
  expect(createVerify('sha256').update('x').verify(publicKey, signature)).toBe(true);
});

async function certificate({ cert }: CertificateFiles): Promise<X509Certificate> {
  return new X509Certificate(await readFile(cert));
}

async function keyMatches({ key }: CertificateFiles, leaf: X509Certificate): Promise<boolean> {
  return createPublicKey(await readFile(key)).equals(leaf.publicKey);
}
