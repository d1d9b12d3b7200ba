import * as z from 'zod';
import { DirectoryConfig, DirectoryPassword, LoginName, ObjectGuid, SearchText } from './config.ts';

/** How long one may take, ms: two servers that say nothing are given up before it passes, and a third is tried. */
export const DIRECTORY_DEADLINE_MS = 20_000;

/** Windows itself signs nobody on who is in more than 1,010 groups (Microsoft, "Logging on a user account that is a member of more than 1,010 groups may fail"). */
export const MAX_DIRECTORY_GROUPS = 1024;

/** What a search finds at most: a person picks from it. */
export const MAX_DIRECTORY_FOUND = 50;

const directory = DirectoryConfig;

/** What is asked about a directory, of an agent or by the plane itself. It holds passwords: it is never logged, and nobody keeps it. */
export const DirectoryQuestion = z.discriminatedUnion('ask', [
  /** Is the configuration good? */
  z.object({ ask: z.literal('test'), directory }),
  /** Whose name and password are these? */
  z.object({ ask: z.literal('signIn'), directory, name: LoginName, password: DirectoryPassword }),
  /** What is to be said of somebody who has signed in before? */
  z.object({ ask: z.literal('lookup'), directory, objectGuid: ObjectGuid }),
  /** Who, and which groups, have a name that begins so? */
  z.object({ ask: z.literal('search'), directory, text: SearchText }),
]);
export type DirectoryQuestion = z.output<typeof DirectoryQuestion>;

const Name = z.string().max(256);

const DirectoryGroup = z.object({ objectGuid: ObjectGuid, name: Name });
export type DirectoryGroup = z.infer<typeof DirectoryGroup>;

/** A person of the directory. */
export const DirectoryPerson = z.object({
  objectGuid: ObjectGuid,
  loginName: Name,
  displayName: Name,
  enabled: z.boolean().describe('Neither disabled nor expired'),
  groups: z.array(DirectoryGroup).max(MAX_DIRECTORY_GROUPS).describe('Security groups'),
});
export type DirectoryPerson = z.infer<typeof DirectoryPerson>;

const FoundEntry = z.object({
  kind: z.enum(['user', 'group']),
  objectGuid: ObjectGuid,
  loginName: Name,
  displayName: Name,
});
export type FoundEntry = z.infer<typeof FoundEntry>;

/** Why a directory could not be asked. */
const DirectoryProblemCode = z.enum([
  /** No server takes connections; asked directly by LDAPS, also: a certificate is not trusted, which the Workers runtime does not tell apart. */
  'unreachable',
  /** A server's certificate is not of the authority, not for its name, or there is no TLS at all. */
  'untrusted',
  /** The account that searches is not let in. */
  'search_account',
  /** There is nothing at the search base, or the account may not see it. */
  'search_base',
  /** More groups than {@link MAX_DIRECTORY_GROUPS}. */
  'too_many_groups',
  /** The directory answered with another error, or with something that is not LDAP. */
  'failed',
]);

export const DirectoryProblem = z.object({
  code: DirectoryProblemCode,
  /** For an administrator: which server said what. No names of people, no passwords. */
  detail: z.string().max(1024),
});
export type DirectoryProblem = z.infer<typeof DirectoryProblem>;

/** What an agent says to a {@link DirectoryQuestion}. */
export const DirectoryAnswer = z.discriminatedUnion('is', [
  z.object({ is: z.literal('problem'), problem: DirectoryProblem }),
  /** To `test`: the server that answered. */
  z.object({ is: z.literal('good'), server: z.string().max(253) }),
  /** To `signIn` and `lookup`. Null: no such person, or (the same to whoever asks) the password is wrong or the account may not sign in. */
  z.object({ is: z.literal('person'), person: DirectoryPerson.nullable() }),
  /** To `search`. */
  z.object({ is: z.literal('found'), items: z.array(FoundEntry).max(MAX_DIRECTORY_FOUND) }),
]);
export type DirectoryAnswer = z.infer<typeof DirectoryAnswer>;
