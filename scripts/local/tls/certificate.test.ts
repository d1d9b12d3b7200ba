import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDataDir } from '../state/data-dir.ts';
import type { DataDir } from '../state/data-dir.ts';
import { givenCertificate, ownCertificate } from './certificate.ts';
import { makeAuthority, makeServerCertificate } from './issue.ts';

const DAY_MS = 86_400_000;
const NAMES = ['127.0.0.1', '::1', 'localhost'];

let folder: string;
let dir: DataDir;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outrider-test-'));
  dir = await openDataDir(folder);
});
afterEach(async () => {
  dir.release();
  await rm(folder, { recursive: true, force: true });
});

describe("the plane's own certificate", () => {
  test('is made once and kept', async () => {
    const first = await ownCertificate(dir, NAMES);
    expect(await ownCertificate(dir, NAMES)).toMatchObject({ chain: first.chain, ca: first.ca });
    expect((await stat(join(dir.tls, 'ca.key'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir.tls, 'server.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(dir.caFile, 'utf8')).toBe(first.ca);
  });

  test('is accepted by a TLS client that trusts the CA, for every name and no other', async () => {
    const { chain, key, ca } = await ownCertificate(dir, [...NAMES, 'plane.example']);
    const server = createServer({ cert: chain, key }, (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const reach = async (servername: string): Promise<boolean> => {
      const socket = connect({ host: '127.0.0.1', port, ca, servername });
      await once(socket, 'secureConnect');
      socket.destroy();
      return socket.authorized;
    };
    expect(await reach('plane.example')).toBe(true);
    expect(await reach('localhost')).toBe(true);
    await expect(reach('other.example')).rejects.toThrow(/altnames/);
    server.close();
  });

  test('is replaced when a name is added, and the CA stays', async () => {
    const first = await ownCertificate(dir, NAMES);
    const second = await ownCertificate(dir, [...NAMES, '192.0.2.7', 'plane.example']);
    expect(second.ca).toBe(first.ca);
    const certificate = new X509Certificate(second.chain);
    expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
    expect(certificate.checkHost('plane.example')).toBe('plane.example');
  });

  test('is replaced before it ends', async () => {
    const first = await ownCertificate(dir, NAMES);
    expect(first.needsRenewal()).toBe(false);
    expect(first.needsRenewal(new Date(Date.now() + 380 * DAY_MS))).toBe(true);
    const authority = { certificate: first.ca, key: await readFile(join(dir.tls, 'ca.key'), 'utf8') };
    const old = await makeServerCertificate(authority, NAMES, new Date(Date.now() - 380 * DAY_MS));
    await writeFile(join(dir.tls, 'server.crt'), old.certificate);
    await writeFile(join(dir.tls, 'server.key'), old.key);
    expect((await ownCertificate(dir, NAMES)).chain).not.toBe(old.certificate);
  });

  test('a crash between its two files leads to a new one', async () => {
    const first = await ownCertificate(dir, NAMES);
    await rm(join(dir.tls, 'server.crt'));
    const second = await ownCertificate(dir, NAMES);
    expect(second.chain).not.toBe(first.chain);
    expect(new X509Certificate(second.chain).checkIssued(new X509Certificate(first.ca))).toBe(true);
  });

  test('a CA without its key is refused, not replaced', async () => {
    const { ca } = await ownCertificate(dir, NAMES);
    await rm(join(dir.tls, 'ca.key'));
    await expect(ownCertificate(dir, NAMES)).rejects.toThrow(/do not belong together/);
    expect(await readFile(dir.caFile, 'utf8')).toBe(ca);
  });
});

describe('a certificate that was given', () => {
  const files = () => ({ certificateFile: join(folder, 'given.pem'), keyFile: join(folder, 'given.key') });
  const give = async (certificate: string, key: string, host: string) => {
    await writeFile(files().certificateFile, certificate);
    await writeFile(files().keyFile, key);
    return givenCertificate(dir, files(), host);
  };

  test('brings its own root to the clients when the chain has one', async () => {
    const authority = await makeAuthority('A company');
    const server = await makeServerCertificate(authority, ['plane.example']);
    const chain = server.certificate + authority.certificate;
    const given = await give(chain, server.key, 'plane.example');
    expect(given.chain).toBe(chain);
    expect(given.ca).toBe(authority.certificate);
    expect(await readFile(given.caFile ?? '', 'utf8')).toBe(authority.certificate);
  });

  test('asks clients for nothing when its root is not in the chain', async () => {
    const server = await makeServerCertificate(await makeAuthority('A public CA'), ['plane.example']);
    expect(await give(server.certificate, server.key, 'plane.example')).toMatchObject({ ca: '', caFile: null });
  });

  test('is refused for another host, naming those that it has', async () => {
    const server = await makeServerCertificate(await makeAuthority('A company'), ['plane.example']);
    await expect(give(server.certificate, server.key, 'other.example')).rejects.toThrow(
      /not for other.example .*plane.example/,
    );
  });

  test('is refused with the key of another', async () => {
    const authority = await makeAuthority('A company');
    const [one, other] = [
      await makeServerCertificate(authority, ['plane.example']),
      await makeServerCertificate(authority, ['plane.example']),
    ];
    await expect(give(one.certificate, other.key, 'plane.example')).rejects.toThrow(/pair that belongs together/);
  });

  test('is refused once it has ended', async () => {
    const authority = await makeAuthority('A company');
    const server = await makeServerCertificate(authority, ['plane.example'], new Date(Date.now() - 400 * DAY_MS));
    await expect(give(server.certificate, server.key, 'plane.example')).rejects.toThrow(/ended on/);
  });

  test('that cannot be read or is no PEM is refused in one line', async () => {
    await expect(givenCertificate(dir, files(), 'plane.example')).rejects.toThrow(/^cannot read .* --cert/);
    await expect(give('not a certificate', 'not a key', 'plane.example')).rejects.toThrow(/holds no certificate/);
  });
});
