import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { egressTo, isExcepted } from './egress.ts';

describe('NO_PROXY', () => {
  it.each([
    ['https://plane.example', '*'],
    ['https://plane.example', 'plane.example'],
    ['https://PLANE.example', 'other.test, Plane.Example'],
    ['https://a.plane.example', 'plane.example'],
    ['https://a.plane.example', '.plane.example'],
    ['https://a.plane.example', '*.plane.example'],
    ['https://plane.example:8443', 'plane.example:8443'],
    ['https://plane.example', 'plane.example:443'],
    ['https://10.1.2.3', '10.0.0.0/8'],
    ['https://10.1.2.3:8443', '10.1.2.3'],
    ['https://[fd00::1]', 'fd00::/8'],
    ['https://[fd00::1]:8443', '[fd00::1]:8443'],
  ])('excepts %s for "%s"', (url, exceptions) => {
    expect(isExcepted(new URL(url), exceptions)).toBe(true);
  });

  it.each([
    ['https://plane.example', ''],
    ['https://plane.example', 'lane.example'],
    ['https://plane.example', '.plane.example'],
    ['https://plane.example', 'plane.example:8443'],
    ['https://plane.example.evil.test', 'plane.example'],
    ['https://11.1.2.3', '10.0.0.0/8'],
    ['https://110.1.2.3', '10.1.2.3'],
    ['https://10.1.2.3', '10.0.0.0/33'],
    ['https://10.1.2.3', 'fd00::/8'],
    ['https://plane.example', '10.0.0.0/8'],
  ])('does not except %s for "%s"', (url, exceptions) => {
    expect(isExcepted(new URL(url), exceptions)).toBe(false);
  });
});

describe('the CA of the plane', () => {
  const options = { proxyUrl: undefined, exceptions: '' };
  const target = new URL('https://plane.example');

  it('is the public roots when there is no file, or an empty one', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'outrider-egress-'));
    const caFile = join(dir, 'ca.crt');
    expect((await egressTo(target, { ...options, caFile: undefined })).ca).toBeUndefined();
    expect((await egressTo(target, { ...options, caFile })).ca).toBeUndefined();
    await writeFile(caFile, '\n');
    expect((await egressTo(target, { ...options, caFile })).ca).toBeUndefined();
    await rm(dir, { recursive: true });
  });

  it('is an error when the file holds something else: the public roots would be a surprise', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'outrider-egress-'));
    const caFile = join(dir, 'ca.crt');
    await writeFile(caFile, 'not a certificate');
    await expect(egressTo(target, { ...options, caFile })).rejects.toThrow('PEM');
    await rm(dir, { recursive: true });
  });
});
