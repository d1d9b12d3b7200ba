import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Attribute, Change, Client } from 'ldapts';
import { startProcess, waitUntil } from '#scripts/demo/processes.ts';
import { lock } from '#scripts/demo/tools/lock.ts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import { randomBase32 } from '#schema/ids.ts';
import { Scratch } from '../processes/local.ts';
import { run } from '../processes/program.ts';
import { makeServers } from '../sign-in/tls.ts';
import { installSamba } from '../tools/samba.ts';

const BASE = 'DC=corp,DC=example';
/** In its certificate beside 127.0.0.1; no name server knows it. */
export const PUBLIC_NAME = 'dc1.corp.example';
const READY_WITHIN_MS = 60_000;

/** MS-ADTS §2.2.16: a normal account; and one that is disabled. */
const ENABLED = '512';
const DISABLED = '514';
/** MS-ADTS §2.2.12: global, with and without "security enabled". */
const SECURITY_GROUP = '-2147483646';
const DISTRIBUTION_GROUP = '2';

/** Passwords as a domain wants them. */
export const newPassword = (): string => `Aa1!${randomBase32(20)}`;

/** A line to the domain controller that the test can cut, on a port of its own: Samba's are fixed. */
export class Line {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  /** What clients sent, as it went over the line. */
  sent = Buffer.alloc(0);
  connections = 0;
  port = 0;

  /** The same port on each of the addresses. */
  static async open(addresses: readonly string[], target: number): Promise<Line> {
    const line = new Line();
    for (const host of addresses) {
      const server = createServer((client) => line.#join(client, target));
      server.listen(line.port, host);
      await once(server, 'listening');
      const at = server.address();
      line.port = typeof at === 'object' && at !== null ? at.port : 0;
      line.#servers.push(server);
    }
    return line;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map(async (server) => new Promise((resolve) => server.close(resolve))));
  }

  #join(client: Socket, port: number): void {
    this.connections++;
    const server = connect({ host: '127.0.0.1', port });
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => (this.sent = Buffer.concat([this.sent, chunk])));
  }
}

interface Parts {
  caPem: string;
  ldaps: Line;
  startTls: Line;
  admin: Client;
  scratch: Scratch;
  /** Runs samba-tool on the domain's database. @returns what it prints. */
  tool(...args: string[]): Promise<string>;
}

/** A real Active Directory domain: Samba as its only controller, on this machine, with an authority of its own. */
export class TestDomain {
  readonly base = BASE;
  readonly caPem: string;
  /** For `ldaps`, at 127.0.0.1, which is in the certificate, and at 127.0.0.3, which is not. */
  readonly ldaps: Line;
  readonly startTls: Line;
  readonly #admin: Client;
  readonly #searcher = { name: 'svc-search@corp.example', password: newPassword() };
  readonly #parts: Parts;

  private constructor(parts: Parts) {
    this.caPem = parts.caPem;
    this.ldaps = parts.ldaps;
    this.startTls = parts.startTls;
    this.#admin = parts.admin;
    this.#parts = parts;
  }

  /** Takes some ten seconds; one at a time on a machine. */
  static async start(log: (line: string) => void = () => undefined): Promise<TestDomain> {
    const scratch = new Scratch();
    try {
      const domain = new TestDomain(await start(scratch, log));
      await domain.addUser({ cn: 'Searcher', login: 'svc-search', password: domain.#searcher.password });
      return domain;
    } catch (error) {
      await scratch.clear();
      throw error;
    }
  }

  /** How the plane is told of this domain. */
  config(changes: Partial<DirectoryConfig> = {}): DirectoryConfig {
    return {
      servers: ['127.0.0.1'],
      port: changes.security === 'starttls' ? this.startTls.port : this.ldaps.port,
      security: 'ldaps',
      ca: this.caPem,
      searchBase: BASE,
      bindName: this.#searcher.name,
      bindPassword: this.#searcher.password,
      loginAttribute: 'sAMAccountName',
      nestedGroups: true,
      pageSize: 500,
      ...changes,
    };
  }

  /** @param cn as in the distinguished name, escaped there (RFC 4514 §2.4). @returns the distinguished name. */
  async addUser(user: {
    cn: string;
    login: string;
    password: string;
    disabled?: boolean;
    displayName?: string;
  }): Promise<string> {
    const dn = `CN=${user.cn},CN=Users,${BASE}`;
    await this.#admin.add(dn, [
      text('objectClass', 'user'),
      text('sAMAccountName', user.login),
      text('userPrincipalName', `${user.login}@corp.example`),
      ...(user.displayName === undefined ? [] : [text('displayName', user.displayName)]),
      // MS-ADTS §3.1.1.3.1.5.1: in quotes, UTF-16.
      new Attribute({ type: 'unicodePwd', values: [Buffer.from(`"${user.password}"`, 'utf16le')] }),
      text('userAccountControl', user.disabled === true ? DISABLED : ENABLED),
    ]);
    return dn;
  }

  /** @returns the distinguished name. */
  async addGroup(
    cn: string,
    members: readonly string[],
    kind: 'security' | 'distribution' = 'security',
  ): Promise<string> {
    const dn = `CN=${cn},CN=Users,${BASE}`;
    await this.#admin.add(dn, [
      text('objectClass', 'group'),
      text('sAMAccountName', cn),
      text('groupType', kind === 'security' ? SECURITY_GROUP : DISTRIBUTION_GROUP),
      ...(members.length === 0 ? [] : [text('member', ...members)]),
    ]);
    return dn;
  }

  async addMember(group: string, member: string): Promise<void> {
    await this.#admin.modify(group, new Change({ operation: 'add', modification: text('member', member) }));
  }

  async removeMember(group: string, member: string): Promise<void> {
    await this.#admin.modify(group, new Change({ operation: 'delete', modification: text('member', member) }));
  }

  async replace(dn: string, attribute: string, value: string): Promise<void> {
    await this.#admin.modify(dn, new Change({ operation: 'replace', modification: text(attribute, value) }));
  }

  async remove(dn: string): Promise<void> {
    await this.#admin.del(dn);
  }

  /** A person's `objectGUID` as Samba writes it. */
  async shownGuid(login: string): Promise<string> {
    const shown = await this.#parts.tool('user', 'show', login, '--attributes=objectGUID');
    return /^objectGUID: (\S+)$/m.exec(shown)?.[1] ?? '';
  }

  async stop(): Promise<void> {
    await this.#parts.scratch.clear();
  }
}

const text = (type: string, ...values: string[]): Attribute => new Attribute({ type, values });

async function start(scratch: Scratch, log: (line: string) => void): Promise<Parts> {
  const held = await lock('samba', () => log('waiting for another domain controller on this machine'));
  scratch.defer(() => held.release());
  const { samba, sambaTool } = await installSamba(log);
  const dir = await scratch.folder();
  const [tls] = await makeServers(['127.0.0.1', PUBLIC_NAME]);
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const options = {
    interfaces: 'lo',
    'bind interfaces only': 'yes',
    // No file server, no name server, no Kerberos.
    'server services': 'ldap',
    'prefork children': '1',
    'log file': join(dir, 'log'),
    'tls cafile': await file('ca.pem', tls.caPem),
    'tls certfile': await file('cert.pem', tls.cert),
    'tls keyfile': await file('key.pem', tls.key),
  };
  const flags = Object.entries(options).map(([name, value]) => `--option=${name}=${value}`);
  const password = newPassword();
  // Its password is good for this domain alone, for as long as the test runs.
  const provisioned = await run([
    ...[sambaTool, 'domain', 'provision', '--realm=CORP.EXAMPLE', '--domain=CORP', '--server-role=dc'],
    ...['--dns-backend=NONE', `--targetdir=${join(dir, 'ad')}`, `--adminpass=${password}`, ...flags],
  ]);
  if (provisioned.code !== 0) throw new Error(`samba-tool: ${provisioned.stderr.slice(-1000)}`);
  const controller = await startProcess({
    name: 'samba',
    argv: [samba, '-s', join(dir, 'ad/etc/smb.conf'), '-i', '--no-process-group', ...flags],
    logFile: join(dir, 'samba.log'),
  });
  scratch.defer(async () => {
    await controller.stop();
    await groupEnded(controller.pid);
  });
  const admin = new Client({ url: 'ldaps://127.0.0.1:636', tlsOptions: { ca: tls.caPem }, timeout: 10_000 });
  scratch.defer(() => admin.unbind());
  const bound = async (): Promise<boolean> =>
    await admin.bind('administrator@corp.example', password).then(
      () => true,
      () => false,
    );
  await waitUntil('the domain controller', bound, { withinMs: READY_WITHIN_MS, by: [controller] });
  const ldaps = await Line.open(['127.0.0.1', '127.0.0.3'], 636);
  scratch.defer(() => ldaps.close());
  const startTls = await Line.open(['127.0.0.1'], 389);
  scratch.defer(() => startTls.close());
  const database = ['-H', join(dir, 'ad/private/sam.ldb'), '-s', join(dir, 'ad/etc/smb.conf')];
  const tool = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run([sambaTool, ...args, ...database]);
    if (code !== 0) throw new Error(`samba-tool ${args.join(' ')}: ${stderr.slice(-1000)}`);
    return stdout;
  };
  return { caPem: tls.caPem, ldaps, startTls, admin, scratch, tool };
}

/** Samba's parts outlive it by a moment, and write to its folder until then; all of them are in its process group. */
async function groupEnded(leader: number): Promise<void> {
  const gone = async (): Promise<boolean> => {
    try {
      return !process.kill(-leader, 'SIGKILL');
    } catch {
      return true;
    }
  };
  // What has ended and nobody looks after is still in the group on some machines, and writes nothing.
  await waitUntil('the parts of the domain controller', gone, { withinMs: 5_000 }).catch(() => undefined);
}
