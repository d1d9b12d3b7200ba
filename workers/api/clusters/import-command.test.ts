import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { importCommand, shellQuote } from './import-command.ts';

const URL_ = 'https://plane.example.com/import/abc.yaml';
const CA = '-----BEGIN CERTIFICATE-----\nMIIB$(id)`id`\n-----END CERTIFICATE-----\n';

test.each(["it's", '$(id)', '`id`', 'a b', '\\', "''", '-n', 'a\nb', '"'])(
  'a shell reads %o as that very word',
  (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellQuote(text)}`]).toString()).toBe(text);
  },
);

test('a certificate that everybody trusts needs nothing but kubectl', () => {
  expect(importCommand({ url: URL_, publicCa: null })).toBe(`kubectl apply -f '${URL_}'`);
});

test('a file with the CA is named as the caller said', () => {
  expect(importCommand({ url: URL_, publicCa: CA, caFile: "/home/it's/ca.crt" })).toBe(
    String.raw`curl -sSf --cacert '/home/it'\''s/ca.crt' '${URL_}' | kubectl apply -f -`,
  );
});

test('without a file the command brings the CA along, and the shell changes nothing of it', () => {
  const command = importCommand({ url: URL_, publicCa: CA });
  // The two programs, played by the shell: curl prints its arguments and the file it was given, kubectl what it reads.
  const stage = 'curl() { printf "%s\\n" "$@"; cat "$3"; }; kubectl() { cat; };';
  expect(execFileSync('sh', ['-c', `${stage}\n${command}\n`]).toString()).toBe(
    `-sSf\n--cacert\n/dev/stdin\n${URL_}\n${CA}`,
  );
});

test('no command ever turns verification off', () => {
  for (const publicCa of [null, CA]) {
    expect(importCommand({ url: URL_, publicCa })).not.toMatch(/insecure|(^| )-\w*k\w*( |$)|http:/);
  }
});
