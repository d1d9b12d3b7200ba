import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askFromHere } from '#agent/directory/answer.ts';
import { connectDirectory } from '#agent/directory/connection.ts';
import { named } from '#ldap/filters.ts';
import { DirectorySession } from '#ldap/session.ts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryAnswer, DirectoryQuestion } from '#schema/directory/questions.ts';
import { entry, FakeDirectory, message, Op, result } from '../../support/fakes/directory.ts';
import { type Asker, startAsker } from '../../support/asker.ts';
import { makeServers, makeTls, type Tls } from '../../support/sign-in/tls.ts';

// Checked by taking out, one at a time: what givenOnce refuses and what it counts, the end of StartTLS's answer, that two are nobody, the bound of groups, the refusals of disabled
// accounts and of entries without a name, the signal; of the Worker's way the look at `ca`, the deadline, and the look at what is behind StartTLS's answer. Each time the test that names it failed.

let tls: Tls;
/** Of the same authority, for another name. */
let ofAnother: Tls;
let asker: Asker;
let directory: FakeDirectory;
const lines: string[] = [];
const log = { debug: keep, info: keep, warn: keep, error: keep };
function keep(text: string, fields: unknown): void {
  lines.push(text + JSON.stringify(fields));
}

beforeAll(async () => {
  [tls, ofAnother] = await makeServers(['localhost', '127.0.0.1'], ['other.example']);
  asker = await startAsker(tls.caPem);
});
afterAll(() => asker?.stop());
beforeEach(async () => {
  directory = await FakeDirectory.start(tls, 'ldaps');
  lines.length = 0;
});
afterEach(() => directory.stop());

const never = new AbortController().signal;
const question = (config: DirectoryConfig): DirectoryQuestion => ({
  ask: 'signIn',
  directory: config,
  name: 'ada',
  password: 'ada-secret',
});
const signIn = async (config: DirectoryConfig = directory.config(), signal = never): Promise<DirectoryAnswer> =>
  await askFromHere(question(config), signal, log);

/** Whoever asks, and how they are told of a directory: who trusts a given authority and addresses, and who trusts what the public trusts, and names. */
const WAYS: [string, { told: Partial<DirectoryConfig>; ask: (config: DirectoryConfig) => Promise<DirectoryAnswer> }][] =
  [
    ['an agent', { told: {}, ask: signIn }],
    [
      'the Worker',
      { told: { ca: null, servers: ['localhost'] }, ask: async (config) => await asker.ask(question(config)) },
    ],
  ];

const NOBODY = { is: 'person', person: null };
/** The first octet of a handshake record. */
const CLIENT_HELLO = 0x16;
const ADA = {
  objectGUID: [Buffer.alloc(16, 1)],
  sAMAccountName: ['ada'],
  userAccountControl: ['512'],
};

/** Says yes to every bind; answers the n-th search as told, and any other with nothing. */
function serve(searches: ((id: number) => Buffer[])[]): void {
  let nth = 0;
  directory.onRequest = ({ id, op }, socket) => {
    if (op === Op.BIND) socket.write(result(id, Op.BIND_RESPONSE));
    else socket.write(Buffer.concat([...(searches[nth++]?.(id) ?? []), result(id, Op.SEARCH_DONE)]));
  };
}

describe.each(WAYS)('a directory that takes every password, asked by %s,', (_who, { told, ask }) => {
  const asked = async (): Promise<DirectoryAnswer> => await ask(directory.config(told));

  test('signs in whom it knows', async () => {
    serve([(id) => [entry(id, 'CN=Ada', ADA)]]);
    expect(await asked()).toMatchObject({ is: 'person', person: { loginName: 'ada', groups: [] } });
    // The account that searches; a search; the person; the account that searches again; groups.
    expect(directory.requests).toEqual([Op.BIND, Op.SEARCH, Op.BIND, Op.BIND, Op.SEARCH]);
  });

  test.each<[string, (id: number) => Buffer[]]>([
    ['nobody', () => []],
    ['two of that name', (id) => [entry(id, 'CN=Ada', ADA), entry(id, 'CN=Other', ADA)]],
    ['an entry without a name, by which it would be a bind as nobody', (id) => [entry(id, '', ADA)]],
    ['an entry without an objectGUID', (id) => [entry(id, 'CN=Ada', { ...ADA, objectGUID: [] })]],
    ['an account that is disabled', (id) => [entry(id, 'CN=Ada', { ...ADA, userAccountControl: ['514'] })]],
  ])('and finds %s signs in nobody', async (_what, found) => {
    serve([found]);
    expect(await asked()).toEqual(NOBODY);
  });

  test('and says that a person is in very many groups is a problem, and no part of them', async () => {
    const groups = (id: number): Buffer[] =>
      Array.from({ length: 1025 }, (_, i) => {
        const objectGUID = Buffer.alloc(16);
        objectGUID.writeUInt32LE(i);
        return entry(id, `CN=${i}`, { objectGUID: [objectGUID], sAMAccountName: [`group-${i}`] });
      });
    serve([(id) => [entry(id, 'CN=Ada', ADA)], groups]);
    expect(await asked()).toMatchObject({ is: 'problem', problem: { code: 'too_many_groups' } });
  });

  test('and speaks of another server is not followed there', async () => {
    let dialled = 0;
    const elsewhere = createServer(() => dialled++).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const at = elsewhere.address();
    const url = `ldap://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}/DC=x`;
    serve([(id) => [message(id, Op.SEARCH_REFERENCE, (writer) => writer.writeString(url))]]);
    expect(await asked()).toEqual(NOBODY);
    // RFC 4511 §4.1.10: a result may say so too.
    directory.onRequest = ({ id, op }, socket) =>
      void socket.write(op === Op.BIND ? result(id, Op.BIND_RESPONSE) : result(id, Op.SEARCH_DONE, 10));
    expect(await asked()).toMatchObject({ problem: { code: 'search_base' } });
    expect(dialled).toBe(0);
    elsewhere.close();
  });
});

describe('attack:', () => {
  test('a connection that is lost is not made anew: nothing is asked as nobody, and no password goes over it', async () => {
    const session = await DirectorySession.open(directory.config(), '127.0.0.1', {
      dial: connectDirectory,
      signal: never,
    });
    directory.hangUp();
    await directory.until(() => directory.open === 0);
    // The client hears of it a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(session.search(named('ada'), 1)).rejects.toMatchObject({ code: 'unreachable' });
    await expect(session.accepts('CN=Ada', 'ada-secret')).rejects.toMatchObject({ code: 'unreachable' });
    expect(directory.connections).toBe(1);
    expect(directory.requests).toEqual([Op.BIND]);
    session.close();
  });

  test('whoever gives up ends the connection at once', async () => {
    directory.onRequest = () => undefined;
    const given = new AbortController();
    const asked = signIn(directory.config(), given.signal).catch((error: unknown) => error);
    await directory.until(() => directory.requests.length === 1);
    const at = performance.now();
    given.abort();
    await directory.until(() => directory.open === 0);
    await asked;
    // An operation that is not given up takes eight seconds to be.
    expect(performance.now() - at).toBeLessThan(4_000);
  });

  test('the Worker gives up by its deadline, and ends the connection', async () => {
    directory.onRequest = () => undefined;
    const config = directory.config({ ca: null, servers: ['localhost'] });
    expect(await asker.ask(question(config), 1_000)).toEqual({
      is: 'problem',
      problem: { code: 'unreachable', detail: 'the directory did not answer in time' },
    });
    await directory.until(() => directory.open === 0);
    expect(directory.requests).toEqual([Op.BIND]);
  });

  test('the Worker dials nobody with a private authority, which it cannot look at', async () => {
    const answer = await asker.ask(question(directory.config({ servers: ['localhost'] })));
    expect(answer).toMatchObject({ problem: { code: 'untrusted' } });
    expect(directory.connections).toBe(0);
  });
});

describe.each(WAYS)('attack on %s:', (_who, { told, ask }) => {
  const server = told.servers?.[0] ?? '127.0.0.1';
  const asked = async (): Promise<DirectoryAnswer> => await ask(directory.config(told));

  test('a server that hangs up in the middle is passed over for the next', async () => {
    let binds = 0;
    directory.onRequest = ({ id, op }, socket) => {
      if (op === Op.SEARCH) socket.write(result(id, Op.SEARCH_DONE));
      else if (++binds > 1) socket.write(result(id, Op.BIND_RESPONSE));
      else socket.end(result(id, Op.BIND_RESPONSE));
    };
    expect(await ask(directory.config({ ...told, servers: [server, server] }))).toEqual(NOBODY);
    expect(directory.connections).toBe(2);
  });

  test('a server that sends without end is given up', async () => {
    let sent = 0;
    directory.onRequest = (_request, socket) => {
      // The head of a message of two gibioctets, which would be held until it is whole.
      socket.write(Buffer.from('30847fffffff', 'hex'));
      const more = (): void => {
        if (socket.destroyed) return;
        sent += 65_536;
        socket.write(Buffer.alloc(65_536));
      };
      socket.on('drain', more);
      more();
    };
    expect(await asked()).toMatchObject({ problem: { code: 'unreachable' } });
    await directory.until(() => directory.open === 0);
    // Two MiB, and what sockets hold.
    expect(sent).toBeLessThan(8 * 1024 * 1024);
  });

  test.each<[string, Buffer]>([
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['nothing of any length', Buffer.alloc(0)],
    ['a message of length without end', Buffer.from('3080', 'hex')],
    ['a message of no octets', Buffer.from('3000', 'hex')],
    ['a message that is its own id', Buffer.from('3003020102', 'hex')],
    ['an operation that does not exist', Buffer.from('30050201027f00', 'hex')],
  ])('%s for an answer harms nobody', async (_what, octets) => {
    directory.onRequest = (_request, socket) => void socket.end(octets);
    expect(await asked()).toMatchObject({ is: 'problem' });
  });

  test('a connection that is reset in the middle of an answer is lost', async () => {
    directory.onRequest = ({ id, op }, socket) => {
      if (op === Op.BIND) return void socket.write(result(id, Op.BIND_RESPONSE));
      socket.write(entry(id, 'CN=Ada', ADA).subarray(0, 20), () => directory.hangUp());
    };
    expect(await asked()).toMatchObject({ problem: { code: 'unreachable' } });
  });

  test('a certificate of another authority, and one for another name, are not spoken to', async () => {
    for (const shown of [await makeTls(), ofAnother]) {
      const other = await FakeDirectory.start(shown, 'ldaps');
      const config = other.config({ ca: tls.caPem, ...told });
      expect(await ask(config)).toMatchObject({ is: 'problem' });
      expect(other.requests).toEqual([]);
      await other.stop();
    }
  });

  test('a server that does not speak TLS is told nothing', async () => {
    const plain = await FakeDirectory.start(tls, 'plain');
    plain.onRequest = ({ id }, socket) => void socket.write(result(id, Op.BIND_RESPONSE));
    const asking = ask(plain.config(told));
    await expect.poll(() => plain.received.byteLength).toBeGreaterThan(0);
    plain.hangUp();
    expect(await asking).toMatchObject({ is: 'problem' });
    expect(plain.received[0]).toBe(CLIENT_HELLO);
    await plain.stop();
  });
});

describe.each(WAYS)('attack on StartTLS of %s:', (_who, { told, ask }) => {
  let plain: FakeDirectory;
  beforeEach(async () => {
    plain = await FakeDirectory.start(tls, 'plain');
  });
  afterEach(() => plain.stop());
  const yes = (id: number): Buffer => result(id, Op.EXTENDED_RESPONSE);

  test.each<[string, (id: number) => Buffer]>([
    // As if it had come under TLS: the answer to a bind that is still to be sent.
    ['an answer with another behind it', (id) => Buffer.concat([yes(id), result(2, Op.BIND_RESPONSE)])],
    ['an answer with the beginning of another behind it', (id) => Buffer.concat([yes(id), Buffer.from('30', 'hex')])],
    ['a refusal', (id) => result(id, Op.EXTENDED_RESPONSE, 52)],
    ['the answer to something else', (id) => yes(id + 1)],
    ['the answer to a bind', (id) => result(id, Op.BIND_RESPONSE)],
    ['HTTP', () => Buffer.from('HTTP/1.1 200 OK\r\n\r\n')],
    ['a message without end', () => Buffer.concat([Buffer.from('308200ffffff', 'hex'), Buffer.alloc(8192)])],
  ])('%s is no answer to StartTLS', async (_what, answer) => {
    plain.onRequest = ({ id }, socket) => void socket.write(answer(id));
    expect(await ask(plain.config({ ...told, security: 'starttls' }))).toMatchObject({
      problem: { code: 'untrusted' },
    });
    expect(plain.requests).toEqual([Op.EXTENDED]);
    expect(plain.received.at(-1)).not.toBe(CLIENT_HELLO);
    for (const secret of ['ada', 'search']) expect(plain.received.includes(secret)).toBe(false);
  });

  test('a server that hangs up is passed over', async () => {
    plain.onRequest = (_request, socket) => void socket.destroy();
    expect(await ask(plain.config({ ...told, security: 'starttls' }))).toMatchObject({ is: 'problem' });
  });

  test('an answer in two pieces is an answer', async () => {
    plain.onRequest = ({ id }, socket) => {
      socket.setNoDelay(true);
      socket.write(yes(id).subarray(0, 3));
      setTimeout(() => socket.write(yes(id).subarray(3)), 20);
    };
    const asking = ask(plain.config({ ...told, security: 'starttls' }));
    await plain.until(() => plain.requests.length === 1);
    await expect.poll(() => plain.received.includes(CLIENT_HELLO)).toBe(true);
    await plain.stop();
    expect(await asking).toMatchObject({ is: 'problem' });
  });
});

test('no line of the log has a name or a password', async () => {
  directory.onRequest = ({ id }, socket) => void socket.write(result(id, Op.BIND_RESPONSE, 49));
  await signIn();
  expect(lines.join('\n')).toContain('search_account');
  expect(lines.join('\n')).not.toMatch(/secret|ada|search@/);
});
