import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { databaseConfig, planeConfig, quote, type Outbound } from './workerd-config.ts';

/** Reads a literal back as Cap'n Proto's lexer does (`capnp/compiler/lexer.c++`): the escapes that `quote` may use. */
function unquote(literal: string): string {
  expect(literal).toMatch(/^"(?:[^"\\\u0000-\u001f]|\\["\\]|\\x[0-9a-f]{2})*"$/); // oxlint-disable-line no-control-regex -- they are what must not occur
  return literal
    .slice(1, -1)
    .replaceAll(/\\(?:x(..)|(.))/g, (_, code: string | undefined, character: string) =>
      code === undefined ? character : String.fromCharCode(Number.parseInt(code, 16)),
    );
}

const manifest = {
  name: 'outrider',
  main: '/project/worker.ts',
  compatibilityDate: '2026-07-30',
  compatibilityFlags: ['nodejs_compat'],
  databases: [{ binding: 'DB', migrations: '/project/migrations' }],
  objects: [{ binding: 'CLUSTERS', className: 'Cluster' }],
  vars: {},
  secrets: [],
};

const config = (texts: Record<string, string>, outbound?: Outbound): string =>
  planeConfig({
    outbound,
    manifest,
    script: 'worker.js',
    texts,
    address: '127.0.0.1:8443',
    tls: { chain: 'CHAIN\n', key: 'KEY\n' },
    objects: '/data/objects',
    d1: '/data/d1',
    audit: '/data/audit',
  });

describe('text in the configuration of workerd', () => {
  test('any text but NUL comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('\0'));
        expect(unquote(quote(text))).toBe(text);
      }),
    );
  });

  test('no text ends its literal early', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('"', '\\', '\n', 'x', '0', ')', ',') }), (text) => {
        expect(unquote(quote(text))).toBe(text);
      }),
    );
  });

  test('NUL is refused', () => {
    expect(() => quote('a\0b')).toThrow(RangeError);
  });
});

describe('the configuration of a plane', () => {
  test('a value cannot add a binding or a socket', () => {
    const hostile = '")), (name = "evil", text = "';
    expect(config({ VALUE: hostile })).toContain(String.raw`text = "\")), (name = \"evil\", text = \""`);
  });

  test('audit events that leave the database have a folder, which the Worker can write', () => {
    expect(config({})).toContain('(name = "audit", disk = (path = "/data/audit", writable = true))');
    expect(config({})).toContain('(name = "AUDIT_FOLDER", service = "audit")');
  });

  test('headers that only the edge may set are removed from what clients send', () => {
    expect(config({})).toContain('(name = "cf-connecting-ip")');
  });

  test('objects keep their storage whatever the deployment is called', () => {
    const renamed = planeConfig({
      manifest: { ...manifest, name: 'another' },
      script: 'worker.js',
      texts: {},
      address: '127.0.0.1:8443',
      tls: { chain: '', key: '' },
      objects: '/data/objects',
      d1: '/data/d1',
      audit: '/data/audit',
    });
    expect(renamed).toContain('uniqueKey = "outrider-Cluster"');
  });

  test('the plane has one socket, and none speaks SQL', () => {
    const sockets = config({}).split('sockets = ')[1];
    expect(sockets?.match(/name = "[^"]+", address/g)).toHaveLength(1);
    expect(sockets).toContain('service = "worker"');
  });

  test('the Worker reaches public addresses alone, unless others are named', () => {
    expect(config({})).toContain('allow = ["public"], tlsOptions = (trustBrowserCas = true, trustedCertificates = [])');
    expect(config({}, { reach: ['10.0.0.0/8'], trust: ['PEM\n'] })).toContain(
      String.raw`allow = ["public", "10.0.0.0/8"], tlsOptions = (trustBrowserCas = true, trustedCertificates = ["PEM\x0a"])`,
    );
  });

  test('migrations reach the same database as the Worker', () => {
    const database = String.raw`(name = "d1", props = (json = "{\"database\":\"DB\"}"))`;
    expect(config({})).toContain(database);
    expect(databaseConfig({ folder: '/data/d1', binding: 'DB', socket: '/tmp/sql' })).toContain(database);
  });
});
