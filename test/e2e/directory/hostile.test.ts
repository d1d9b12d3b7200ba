import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askFromHere } from '#agent/directory/answer.ts';
import { connectDirectory } from '#agent/directory/connection.ts';
import { named } from '#ldap/filters.ts';
import { DirectorySession } from '#ldap/session.ts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import type { DirectoryAnswer } from '#schema/directory/questions.ts';
import { entry, FakeDirectory, message, Op, result } from '../../support/fakes/directory.ts';
import { makePki, type TestPki } from '../../support/fakes/world.ts';

// Checked by taking out, one at a time: what givenOnce refuses and what it counts, the end of StartTLS's answer, that two are nobody, the bound of groups, the refusals of disabled
// accounts and of entries without a name, the signal. Each time the test that names it failed.

let pki: TestPki;
let directory: FakeDirectory;
const lines: string[] = [];
const log = { debug: keep, info: keep, warn: keep, error: keep };
function keep(text: string, fields: unknown): void {
  lines.push(text + JSON.stringify(fields));
}

beforeAll(async () => {
  pki = await makePki();
});
afterAll(() => pki.remove());
beforeEach(async () => {
  directory = await FakeDirectory.start(pki, 'ldaps');
  lines.length = 0;
});
afterEach(() => directory.stop());

const never = new AbortController().signal;
const signIn = async (config: DirectoryConfig = directory.config(), signal = never): Promise<DirectoryAnswer> =>
  await askFromHere({ ask: 'signIn', directory: config, name: 'ada', password: 'ada-secret' }, signal, log);

const NOBODY = { is: 'person', person: null };
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

describe('a directory that takes every password', () => {
  test('signs in whom it knows', async () => {
    serve([(id) => [entry(id, 'CN=Ada', ADA)]]);
    expect(await signIn()).toMatchObject({ is: 'person', person: { loginName: 'ada', groups: [] } });
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
    expect(await signIn()).toEqual(NOBODY);
  });

  test('and says that a person is in very many groups is a problem, and no part of them', async () => {
    const groups = (id: number): Buffer[] =>
      Array.from({ length: 1025 }, (_, i) => {
        const objectGUID = Buffer.alloc(16);
        objectGUID.writeUInt32LE(i);
        return entry(id, `CN=${i}`, { objectGUID: [objectGUID], sAMAccountName: [`group-${i}`] });
      });
    serve([(id) => [entry(id, 'CN=Ada', ADA)], groups]);
    expect(await signIn()).toMatchObject({ is: 'problem', problem: { code: 'too_many_groups' } });
  });

  test('and speaks of another server is not followed there', async () => {
    let dialled = 0;
    const elsewhere = createServer(() => dialled++).listen(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const at = elsewhere.address();
    const url = `ldap://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}/DC=x`;
    serve([(id) => [message(id, Op.SEARCH_REFERENCE, (writer) => writer.writeString(url))]]);
    expect(await signIn()).toEqual(NOBODY);
    // RFC 4511 §4.1.10: a result may say so too.
    directory.onRequest = ({ id, op }, socket) =>
      void socket.write(op === Op.BIND ? result(id, Op.BIND_RESPONSE) : result(id, Op.SEARCH_DONE, 10));
    expect(await signIn()).toMatchObject({ problem: { code: 'search_base' } });
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

  test('a server that hangs up in the middle is passed over for the next', async () => {
    let binds = 0;
    directory.onRequest = ({ id, op }, socket) => {
      if (op === Op.SEARCH) socket.write(result(id, Op.SEARCH_DONE));
      else if (++binds > 1) socket.write(result(id, Op.BIND_RESPONSE));
      else socket.end(result(id, Op.BIND_RESPONSE));
    };
    expect(await signIn(directory.config({ servers: ['127.0.0.1', '127.0.0.1'] }))).toEqual(NOBODY);
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
    expect(await signIn()).toMatchObject({ problem: { code: 'unreachable' } });
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
    expect(await signIn(directory.config(), AbortSignal.timeout(10_000))).toMatchObject({ is: 'problem' });
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
});

describe('attack on StartTLS:', () => {
  let plain: FakeDirectory;
  beforeEach(async () => {
    plain = await FakeDirectory.start(pki, 'plain');
  });
  afterEach(() => plain.stop());
  const yes = (id: number): Buffer => result(id, Op.EXTENDED_RESPONSE);
  /** The first octet of a handshake record. */
  const CLIENT_HELLO = 0x16;

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
    const config = plain.config({ security: 'starttls' });
    expect(await signIn(config)).toMatchObject({ problem: { code: 'untrusted' } });
    expect(plain.requests).toEqual([Op.EXTENDED]);
    expect(plain.received.at(-1)).not.toBe(CLIENT_HELLO);
    for (const secret of ['ada', 'search']) expect(plain.received.includes(secret)).toBe(false);
  });

  test('a server that hangs up is passed over', async () => {
    plain.onRequest = (_request, socket) => void socket.destroy();
    expect(await signIn(plain.config({ security: 'starttls' }))).toMatchObject({ is: 'problem' });
  });

  test('an answer in two pieces is an answer', async () => {
    plain.onRequest = ({ id }, socket) => {
      socket.setNoDelay(true);
      socket.write(yes(id).subarray(0, 3));
      setTimeout(() => socket.write(yes(id).subarray(3)), 20);
    };
    const asked = signIn(plain.config({ security: 'starttls' }), AbortSignal.timeout(2_000)).catch(() => null);
    await plain.until(() => plain.requests.length === 1);
    await expect.poll(() => plain.received.includes(CLIENT_HELLO)).toBe(true);
    await plain.stop();
    await asked;
  });
});

test('no line of the log has a name or a password', async () => {
  directory.onRequest = ({ id }, socket) => void socket.write(result(id, Op.BIND_RESPONSE, 49));
  await signIn();
  expect(lines.join('\n')).toContain('search_account');
  expect(lines.join('\n')).not.toMatch(/secret|ada|search@/);
});
