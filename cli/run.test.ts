import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { ApiError } from '#schema/api/client.ts';
import { EXITS, oneLine } from './exits.ts';
import type { Io } from './io.ts';
import { isExcepted } from './plane/proxy.ts';
import { refusalOf, unreachable } from './plane/failures.ts';
import { wordsOf } from './commands/options.ts';
import { commandsOf, program, run } from './run.ts';
import { isWithoutBrowser } from './signin/browser.ts';
import { parseServer } from './state/servers.ts';

/** Runs one call without a home folder that could matter. */
async function called(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io: Io = {
    env: { HOME: '/nonexistent', XDG_CONFIG_HOME: 'relative is ignored' },
    platform: 'linux',
    stdin: Readable.from([]),
    out: (text) => void (out += text),
    say: (line) => void (err += `${line}\n`),
    ask: (text) => void (err += text),
    terminal: { in: false, out: false, err: false },
    signal: new AbortController().signal,
  };
  return { code: await run(io, words), out, err };
}

const all = commandsOf(program({} as Io)).filter((command) => command.name() !== '__complete');
const pathOf = (command: Command): string[] => wordsOf(command).slice(1);

describe('help', () => {
  test.each(all.map((command) => [pathOf(command).join(' '), command] as const))(
    'of "%s" has a summary, and examples',
    async (path, command) => {
      const { code, out, err } = await called(...path.split(' ').filter((word) => word !== ''), '--help');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(command.description()).not.toBe('');
      if (command.commands.length === 0) expect(out).toContain('Examples:\n  ');
    },
  );

  test('of a command may be asked for by its words, and of one that is not there says so', async () => {
    const { out } = await called('clusters', 'get', '--help');
    expect(await called('help', 'clusters', 'get')).toEqual({ code: 0, out, err: '' });
    expect(await called('help', 'clusters', 'gte')).toEqual({
      code: 2,
      out: '',
      err: 'outrider: there is no command outrider clusters gte (see outrider clusters --help)\n',
    });
  });

  test('lists every exit code', async () => {
    const { out } = await called('--help');
    for (const { code, means } of Object.values(EXITS)) expect(out).toMatch(new RegExp(`^  ${code} +${means}$`, 'm'));
  });

  test('exit codes are what they were: scripts rely on them', () => {
    expect(Object.fromEntries(Object.entries(EXITS).map(([name, { code }]) => [name, code]))).toEqual({
      ok: 0,
      error: 1,
      usage: 2,
      'not-signed-in': 3,
      'not-permitted': 4,
      'not-found': 5,
      unreachable: 6,
      untrusted: 7,
      conflict: 8,
      'timed-out': 9,
      interrupted: 130,
    });
  });
});

describe('a call that is wrong is one line on standard error, and 2', () => {
  test.each([
    [['lgoin'], '(Did you mean login?)'],
    [['clusters', 'gett'], '(Did you mean get?)'],
    [['clusters', 'list', '--sever', 'x'], '(Did you mean --server?)'],
    [['clusters', 'list', '-o', 'xml'], 'table, wide, json, yaml, name'],
    [['users', 'made-up'], "unknown command 'made-up' (see outrider users --help)"],
    [['clusters', 'get'], "missing required argument 'cluster'"],
    [['tokens', 'create', '--ttl', '30'], 'such as 30d'],
    [['kubeconfig', 'add'], 'name a cluster, or say --all'],
    [['kubeconfig', 'rm', 'a', '--all'], 'not both'],
    [['login', '--device', '--with-token'], 'choose one'],
    [['login', '--server', 'http://plane.example'], 'https://'],
    [['token', '--cluster', '../x'], 'id of a cluster'],
    [['clusters', 'list', 'extra'], 'too many arguments'],
  ])('%j', async (words, text) => {
    const { code, out, err } = await called(...words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^outrider: [^\n]+\n$/);
    expect(err).toContain(text);
  });

  test('a group without a command shows what there is', async () => {
    expect(await called('clusters')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Commands:') });
  });
});

test('nobody is signed in at first', async () => {
  expect(await called('whoami')).toEqual({
    code: 3,
    out: '',
    err: 'outrider: no server is known: run `outrider login --server https://your.plane`\n',
  });
});

describe('servers', () => {
  test.each([
    ['plane.example', 'https://plane.example'],
    ['plane.example:8443', 'https://plane.example:8443'],
    ['HTTPS://Plane.Example/', 'https://plane.example'],
    ['[::1]:8443', 'https://[::1]:8443'],
  ])('%s is %s', (text, origin) => expect(parseServer(text)).toBe(origin));

  test.each([
    'http://a',
    'ftp://a',
    'https://u:secret@a',
    'https://a/x',
    'https://a?x',
    'https://a#x',
    '',
    'a b',
    'file:///x',
  ])('%j is none, and is not repeated', (text) =>
    expect(() => parseServer(text)).toThrow(/^the server must be https:\/\/host\[:port\] and nothing more$/),
  );
});

describe('what an answer means', () => {
  /** What the client makes of an answer. */
  const refused = (status: number, code?: string): ApiError => {
    const detail = 'why\u001b[2J';
    const problem = {
      type: 'about:blank' as const,
      title: 'Title',
      status,
      detail,
      code: code ?? '',
      requestId: 'r-1',
    };
    return new ApiError(status, code === undefined ? null : { code, detail, problem }, 'GET /v1/me');
  };

  test.each([
    [401, 'unauthenticated', 'not-signed-in', 'outrider login --server https://p'],
    [401, 'invalid_credentials', 'not-signed-in', 'title: why�[2J'],
    [403, 'forbidden', 'not-permitted', 'title: why�[2J'],
    [404, 'not_found', 'not-found', 'title: why�[2J'],
    [409, 'conflict', 'conflict', 'title: why�[2J'],
    [422, 'invalid', 'error', 'title: why�[2J'],
    [429, 'throttled', 'unreachable', 'title: why�[2J'],
    [500, 'internal', 'error', '(request r-1)'],
    [503, 'access_unavailable', 'unreachable', '(request r-1)'],
  ])('%d %s', (status, code, exit, text) => {
    const refusal = refusalOf('https://p', refused(status, code));
    expect(refusal).toMatchObject({ exit, code });
    expect(refusal.message).toContain(text);
  });

  test('something that is no plane says so, and its page is not shown', () => {
    expect(refusalOf('https://p', refused(302)).message).toBe(
      'https://p answered GET /v1/me with status 302: is that the address of an Outrider plane?',
    );
    expect(refusalOf('https://p', refused(200)).message).toContain('install the CLI that came with the plane');
  });

  test.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])(
    '%s is an unknown authority: bring the CA (CVE-2025-67601)',
    (code) => {
      const failure = unreachable('https://p', Object.assign(new Error('x'), { code }), { hasCa: false });
      expect(failure).toMatchObject({ exit: 'untrusted', message: expect.stringContaining('--ca-file') });
    },
  );

  test.each([
    [
      'ECONNREFUSED',
      'cannot reach https://p: nothing listens there: are the address and the port right? (ECONNREFUSED)',
    ],
    [
      'ENOTFOUND',
      'cannot reach https://p: nobody knows that name: is the address right, and is there a network? (ENOTFOUND)',
    ],
    ['EODD', 'cannot reach https://p: x'],
  ])('%s is a plane that is not reached', (code, message) => {
    const failure = unreachable('https://p', Object.assign(new Error('x'), { code }), { hasCa: false });
    expect(failure).toMatchObject({ exit: 'unreachable', message });
  });

  test('a port that speaks no TLS is said to be one, without what OpenSSL says', () => {
    const said =
      'write EPROTO 400D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps';
    const { message } = unreachable('https://p', Object.assign(new Error(said), { code: 'EPROTO' }), { hasCa: false });
    expect(message).toBe(
      'cannot reach https://p: what answers there does not speak TLS: are the address and the port right?',
    );
  });

  test('of a token that did not come from a sign-in, nobody is told to sign in', () => {
    expect(refusalOf('https://p', refused(401, 'unauthenticated'), 'OUTRIDER_TOKEN has ended').message).toBe(
      'OUTRIDER_TOKEN has ended (the plane says: why�[2J)',
    );
  });
});

test.each([
  ['example.com', true],
  ['.example.com', true],
  ['*.example.com', true],
  ['plane.example.com:8443', true],
  ['plane.example.com:443', false],
  ['other.com, *', true],
  ['xample.com', false],
  ['', false],
])('NO_PROXY=%s', (exceptions, excepted) => {
  expect(isExcepted(new URL('https://plane.example.com:8443'), exceptions)).toBe(excepted);
});

test.each([
  ['127.0.0.0/8', true],
  ['10.0.0.0/8', false],
  ['127.0.0.1', true],
  ['127.0.0.0/99', false],
])('NO_PROXY=%s for an address', (exceptions, excepted) => {
  expect(isExcepted(new URL('https://127.0.0.1'), exceptions)).toBe(excepted);
});

test.each([
  ['linux', { DISPLAY: ':0' }, false],
  ['linux', {}, true],
  ['linux', { WSL_DISTRO_NAME: 'Debian' }, false],
  ['linux', { DISPLAY: ':0', SSH_CONNECTION: 'x' }, true],
  ['linux', { SSH_CONNECTION: 'x', BROWSER: 'lynx' }, false],
  ['darwin', {}, false],
  ['darwin', { SSH_TTY: '/dev/ttys1' }, true],
] as const)('on %s with %j, nobody would see a browser: %s', (platform, env, without) => {
  expect(isWithoutBrowser({ platform, env })).toBe(without);
});

test('text from elsewhere stays on its line', () => {
  expect(oneLine('a\r\n  b\u001b]0;x\u0007\u202ec')).toBe('a b�]0;x��c');
});
