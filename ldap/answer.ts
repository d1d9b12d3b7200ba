import type { Entry } from 'ldapts';
import type { DirectoryConfig } from '#schema/directory/config.ts';
import {
  type DirectoryAnswer,
  type DirectoryPerson,
  type DirectoryQuestion,
  MAX_DIRECTORY_FOUND,
  MAX_DIRECTORY_GROUPS,
} from '#schema/directory/questions.ts';
import { foundFrom, groupsFrom, guidOctets, isEnabled, personFrom, primaryGroupSid } from './entries.ts';
import { DirectoryFailure } from './failure.ts';
import { groupOf, groupsOf, named, personNamed, personOf } from './filters.ts';
import { DirectorySession } from './session.ts';
import type { Dial } from './socket.ts';

/** What a problem's detail has room for. */
const DETAIL_LENGTH = 1024;

/** What {@link answerDirectory} needs of whoever runs it. */
export interface Means {
  readonly dial: Dial;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

/** Asks a directory. What failed is an answer too; only a fault of our own rejects, or an abort. */
export async function answerDirectory(question: DirectoryQuestion, means: Means): Promise<DirectoryAnswer> {
  try {
    return await onFirstServer(question.directory, means, async (session) => await ask(session, question));
  } catch (error) {
    if (!(error instanceof DirectoryFailure)) throw error;
    return { is: 'problem', problem: { code: error.code, detail: error.message.slice(0, DETAIL_LENGTH) } };
  }
}

/** The servers in their order, until one is there. */
async function onFirstServer<T>(
  config: DirectoryConfig,
  means: Means,
  work: (session: DirectorySession) => Promise<T>,
): Promise<T> {
  const { signal } = means;
  const failures: DirectoryFailure[] = [];
  for (const server of config.servers) {
    signal.throwIfAborted();
    let session: DirectorySession | null = null;
    try {
      session = await DirectorySession.open(config, server, means);
      return await work(session);
    } catch (error) {
      if (!(error instanceof DirectoryFailure) || !error.passing) throw error;
      failures.push(error);
    } finally {
      session?.close();
    }
  }
  signal.throwIfAborted();
  // A server that is there and cannot be trusted says more than one that is not there.
  const worst = failures.find(({ code }) => code === 'untrusted') ?? failures[0];
  throw new DirectoryFailure(worst?.code ?? 'unreachable', failures.map(({ message }) => message).join('; '));
}

async function ask(session: DirectorySession, question: DirectoryQuestion): Promise<DirectoryAnswer> {
  switch (question.ask) {
    case 'test':
      await session.checkBase();
      return { is: 'good', server: session.server };
    case 'signIn':
      return { is: 'person', person: await signIn(session, question.name, question.password) };
    case 'lookup': {
      const entry = only(await session.search(personOf(guidOctets(question.objectGuid)), 1));
      return { is: 'person', person: entry === null ? null : await person(session, entry) };
    }
    case 'search': {
      const entries = await session.search(named(question.text), MAX_DIRECTORY_FOUND);
      const items = entries
        .map((entry) => foundFrom(entry, session.config.loginAttribute))
        .filter((item) => item !== null);
      return { is: 'found', items: items.slice(0, MAX_DIRECTORY_FOUND) };
    }
  }
}

/** Null: there is no such person, or the password is wrong, or the account may not sign in. The same is asked of the server in each case, so that its time says little either. */
async function signIn(session: DirectorySession, name: string, password: string): Promise<DirectoryPerson | null> {
  const entry = only(await session.search(personNamed(session.config.loginAttribute, name), 1));
  const accepted = await session.accepts(
    entry?.dn ?? `CN=${crypto.randomUUID()},${session.config.searchBase}`,
    password,
  );
  if (entry === null || !accepted || !isEnabled(entry, Date.now())) return null;
  return await person(session, entry);
}

/** Two who answer to one name are nobody. */
const only = (entries: Entry[]): Entry | null => (entries.length === 1 ? (entries[0] ?? null) : null);

async function person(session: DirectorySession, entry: Entry): Promise<DirectoryPerson | null> {
  const { loginAttribute, nestedGroups } = session.config;
  const sid = primaryGroupSid(entry);
  const primary = sid === null ? [] : await session.search(groupOf(sid), 1);
  const members = [entry, ...(nestedGroups ? primary : [])].map(({ dn }) => dn);
  const others = await session.search(groupsOf(members, nestedGroups), MAX_DIRECTORY_GROUPS);
  const groups = groupsFrom([...primary, ...others]);
  if (groups.length > MAX_DIRECTORY_GROUPS || others.length > MAX_DIRECTORY_GROUPS) {
    throw new DirectoryFailure(
      'too_many_groups',
      `${session.server}: a person is in more than ${MAX_DIRECTORY_GROUPS} groups`,
    );
  }
  return personFrom(entry, groups, loginAttribute, Date.now());
}
