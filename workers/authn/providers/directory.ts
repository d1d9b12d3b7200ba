import {
  type DirectoryConfig,
  DirectoryPassword,
  LoginName,
  ObjectGuid,
  SearchText,
} from '#schema/directory/config.ts';
import type { DirectoryAnswer, DirectoryPerson, DirectoryQuestion } from '#schema/directory/questions.ts';
import { OutriderError } from '#schema/errors.ts';

/** Asks the directory, such as through a cluster's agent. @throws OutriderError when there is no answer */
export type AskDirectory = (question: DirectoryQuestion) => Promise<DirectoryAnswer>;

/** Somebody as their directory knows them. */
export interface DirectoryIdentity {
  /** `<provider>_user://<objectGUID>`. */
  readonly principal: string;
  readonly loginName: string;
  readonly displayName: string;
  readonly groups: readonly { readonly principal: string; readonly displayName: string }[];
}

/** What a search finds. */
export interface DirectoryMatch {
  readonly principal: string;
  readonly kind: 'user' | 'group';
  readonly loginName: string;
  readonly displayName: string;
}

/** Signs people in by a directory. Every verb throws OutriderError directory_unavailable where the directory cannot be asked: that is no refusal of a person. */
export interface DirectoryProvider {
  /** Null: there is no such person, the password is wrong, or the account may not sign in; which of them is nobody's business. */
  signIn(name: string, password: string): Promise<DirectoryIdentity | null>;
  /** What the directory says of somebody now. Null: they are gone or disabled. */
  refresh(principal: string): Promise<DirectoryIdentity | null>;
  /** People and groups with a name that begins so. */
  search(text: string): Promise<DirectoryMatch[]>;
  /** The server that answered. */
  test(): Promise<{ server: string }>;
}

/** @param provider the provider's id, which begins its principals */
export function directoryProvider(provider: string, directory: DirectoryConfig, ask: AskDirectory): DirectoryProvider {
  const userPrefix = `${provider}_user://`;
  const principalOf = (kind: 'user' | 'group', objectGuid: string): string => `${provider}_${kind}://${objectGuid}`;
  const identity = (person: DirectoryPerson | null): DirectoryIdentity | null =>
    person === null || !person.enabled
      ? null
      : {
          principal: principalOf('user', person.objectGuid),
          loginName: person.loginName,
          displayName: person.displayName,
          groups: person.groups.map(({ objectGuid, name }) => ({
            principal: principalOf('group', objectGuid),
            displayName: name,
          })),
        };
  return {
    signIn: async (name, password) => {
      // What no directory could know is not asked: an empty password least of all.
      if (!LoginName.safeParse(name).success || !DirectoryPassword.safeParse(password).success) return null;
      return identity(expect(await ask({ ask: 'signIn', directory, name, password }), 'person').person);
    },
    refresh: async (principal) => {
      const objectGuid = ObjectGuid.safeParse(
        principal.startsWith(userPrefix) ? principal.slice(userPrefix.length) : '',
      );
      if (!objectGuid.success) return null;
      const person = expect(await ask({ ask: 'lookup', directory, objectGuid: objectGuid.data }), 'person').person;
      // Another person's word would be another person's groups.
      if (person !== null && person.objectGuid !== objectGuid.data) throw unavailable('it spoke of somebody else');
      return identity(person);
    },
    search: async (text) => {
      if (!SearchText.safeParse(text).success) return [];
      const { items } = expect(await ask({ ask: 'search', directory, text }), 'found');
      return items.map(({ kind, objectGuid, loginName, displayName }) => ({
        principal: principalOf(kind, objectGuid),
        kind,
        loginName,
        displayName,
      }));
    },
    test: async () => ({ server: expect(await ask({ ask: 'test', directory }), 'good').server }),
  };
}

const unavailable = (why: string): OutriderError =>
  new OutriderError('directory_unavailable', `the directory cannot be asked: ${why}`);

/** @throws OutriderError directory_unavailable for a problem, or for the answer to something else. */
function expect<K extends DirectoryAnswer['is']>(answer: DirectoryAnswer, is: K): Extract<DirectoryAnswer, { is: K }> {
  if (answer.is === 'problem') throw unavailable(`${answer.problem.code}: ${answer.problem.detail}`);
  if (!isAnswer(answer, is)) throw unavailable('it answered something else');
  return answer;
}

const isAnswer = <K extends DirectoryAnswer['is']>(
  answer: DirectoryAnswer,
  is: K,
): answer is Extract<DirectoryAnswer, { is: K }> => answer.is === is;
