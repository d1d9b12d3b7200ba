import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** A certificate and its key as files, which is how every Kubernetes component takes them. */
export type CertificateFiles = { cert: string; key: string };

/** All keys and certificates of one cluster. */
export type ClusterPki = {
  /** Certificate of the cluster's authority, as a file and as text; its key only signs. */
  ca: CertificateFiles;
  caPem: string;
  /** The authority behind the aggregation layer; apart, because its clients may name any user. */
  frontProxyCa: CertificateFiles;
  /** Signs service account tokens. */
  serviceAccount: { publicKey: string; privateKey: string };
  certificates: Record<CertificateName, CertificateFiles>;
};

type CertificateName = keyof ReturnType<typeof leaves>;

/** One certificate: who it names, and for a server where it is reached. */
type Leaf = { issuer?: 'frontProxy'; commonName: string; organization?: string; servesAt?: readonly string[] };

/** What a cluster's certificates are about. */
export type PkiOptions = {
  /** Folder that holds everything; made with mode 0700. */
  dir: string;
  nodeName: string;
  /** Address of the API server and of the node's kubelet. */
  hostAddress: string;
  nodeAddress: string;
  /** First address of the service range, which the API server gives to `kubernetes.default`. */
  serviceAddress: string;
};

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const DAY_MS = 24 * 60 * 60 * 1000;
/** Longer than any demo is kept. */
const CA_DAYS = 3650;
/** Certificates are made anew at each start, so a year is the longest that one start may last. */
const LEAF_DAYS = 365;
/** A machine whose clock was just set back still accepts what it made before. */
const BACKDATE_MS = 60 * 60 * 1000;

/** Subjects are what Kubernetes' Node authorizer and its default role bindings look for (k8s.io/docs: PKI certificates and requirements). */
function leaves(options: PkiOptions) {
  const { nodeName, hostAddress, nodeAddress, serviceAddress } = options;
  const apiNames = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  return {
    etcd: { commonName: 'etcd', servesAt: ['127.0.0.1', 'localhost'] },
    etcdClient: { commonName: 'kube-apiserver-etcd-client' },
    apiServer: {
      commonName: 'kube-apiserver',
      servesAt: [...new Set(['127.0.0.1', 'localhost', hostAddress, serviceAddress, nodeName, ...apiNames])],
    },
    apiServerKubeletClient: { commonName: 'kube-apiserver-kubelet-client', organization: 'system:masters' },
    frontProxyClient: { issuer: 'frontProxy', commonName: 'front-proxy-client' },
    controllerManager: { commonName: 'system:kube-controller-manager' },
    scheduler: { commonName: 'system:kube-scheduler' },
    kubeProxy: { commonName: 'system:kube-proxy' },
    kubelet: { commonName: `system:node:${nodeName}`, organization: 'system:nodes' },
    kubeletServer: {
      commonName: `system:node:${nodeName}`,
      organization: 'system:nodes',
      servesAt: [nodeAddress, nodeName],
    },
    admin: { commonName: 'kubernetes-admin', organization: 'system:masters' },
  } satisfies Record<string, Leaf>;
}

/**
 * Makes the keys and certificates of a cluster. The two authorities and the service account key are kept from an earlier
 * start, so that tokens and kubeconfigs stay good; everything else is made anew, since addresses may have changed.
 */
export async function createPki(options: PkiOptions): Promise<ClusterPki> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const ca = await authority(dir, 'ca', 'outrider-demo-ca');
  const frontProxyCa = await authority(dir, 'front-proxy-ca', 'outrider-demo-front-proxy-ca');
  const table: Record<CertificateName, Leaf> = leaves(options);
  const make = (name: CertificateName): Promise<CertificateFiles> => {
    const leaf = table[name];
    return issue(leaf.issuer === 'frontProxy' ? frontProxyCa : ca, dir, name, leaf);
  };
  return {
    ca: ca.files,
    caPem: ca.certificate.toString('pem'),
    frontProxyCa: frontProxyCa.files,
    serviceAccount: await serviceAccountKey(dir),
    certificates: {
      etcd: await make('etcd'),
      etcdClient: await make('etcdClient'),
      apiServer: await make('apiServer'),
      apiServerKubeletClient: await make('apiServerKubeletClient'),
      frontProxyClient: await make('frontProxyClient'),
      controllerManager: await make('controllerManager'),
      scheduler: await make('scheduler'),
      kubeProxy: await make('kubeProxy'),
      kubelet: await make('kubelet'),
      kubeletServer: await make('kubeletServer'),
      admin: await make('admin'),
    },
  };
}

type Authority = { files: CertificateFiles; certificate: x509.X509Certificate; privateKey: webcrypto.CryptoKey };

async function authority(dir: string, name: string, commonName: string): Promise<Authority> {
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  if (existsSync(files.cert) && existsSync(files.key)) {
    const pkcs8 = x509.PemConverter.decodeFirst(await readFile(files.key, 'utf8'));
    const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
    return { files, certificate: new x509.X509Certificate(await readFile(files.cert, 'utf8')), privateKey };
  }
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    ...validity(CA_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // The certificate last: both are taken for present only together.
  await writeKey(files.key, keys.privateKey);
  await writeFile(files.cert, certificate.toString('pem'));
  return { files, certificate, privateKey: keys.privateKey };
}

async function issue(issuer: Authority, dir: string, name: string, leaf: Leaf): Promise<CertificateFiles> {
  const files = { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
  const keys = await newKeys();
  const usage = x509.ExtendedKeyUsage;
  const names = leaf.servesAt?.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...(leaf.organization ? [{ O: [leaf.organization] }] : []), { CN: [leaf.commonName] }],
    issuer: issuer.certificate.subjectName,
    ...validity(LEAF_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // etcd asks its own server for a client's usage too: its gateway dials itself with the serving certificate.
      new x509.ExtendedKeyUsageExtension(names ? [usage.serverAuth, usage.clientAuth] : [usage.clientAuth]),
      ...(names ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeKey(files.key, keys.privateKey);
  await writeFile(files.cert, certificate.toString('pem'));
  return files;
}

async function serviceAccountKey(dir: string): Promise<ClusterPki['serviceAccount']> {
  const files = { publicKey: join(dir, 'service-account.pub'), privateKey: join(dir, 'service-account.key') };
  if (existsSync(files.publicKey)) return files;
  const keys = await newKeys();
  await writeKey(files.privateKey, keys.privateKey);
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  await writeFile(files.publicKey, x509.PemConverter.encode(spki, 'PUBLIC KEY'));
  return files;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function writeKey(file: string, key: webcrypto.CryptoKey): Promise<void> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  await writeFile(file, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), { mode: 0o600 });
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; random, so that two authorities' files can never be confused. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + days * DAY_MS) };
}
