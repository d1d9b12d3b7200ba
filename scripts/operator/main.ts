import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { mintToken } from '../local/mint.ts';
import { giveFirstPassword, oneTimePassword } from '../local/state/first-password.ts';
import { Problem, reasonOf } from '../lib/problem.ts';
import { loadSecrets } from '../local/state/secrets.ts';

const USAGE = `What only the holder of a plane's signing key can do (schema/decisions/0006-operator.md).

Usage: npm run operator -- <command> --secrets <file> [option…]

  secrets                    makes the file with the plane's secrets if there is none, and prints them in the form that
                             \`wrangler secret bulk\` reads; with npm run --silent it can be piped there
  administrator              makes the first administrator with a one-time password, and prints it; run again, it prints
                             the same until that was changed (it is kept in <file>.first-password)
    --url <https://…>        the plane
    --username <name>        default admin
  reset-password             gives an administrator a one-time password in place of a lost one, and prints it; lets them in if
                             they were disabled, and ends every session and token of theirs
    --url <https://…>        the plane
    --username <name>        default admin
  reencrypt                  seals anew what older keys have sealed in the plane's database: after a new key was put first in
                             secretsKeys and given to the plane, and before the old one is taken out
    --url <https://…>        the plane
`;

/** The first answer of a Worker that has just started includes the hash of a password. */
const ANSWER_MS = 30_000;
/** How much of an error's body is worth a place in a line. */
const QUOTED_CHARACTERS = 200;

const Answer = z.object({
  user: z.object({ username: z.string() }),
  created: z.boolean(),
  passwordPending: z.boolean(),
});

const Reset = Answer.pick({ user: true });
const Reencrypted = z.object({ reencrypted: z.int(), left: z.int() });

interface Question {
  /** The plane's origin. */
  readonly issuer: string;
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        secrets: { type: 'string' },
        url: { type: 'string' },
        username: { type: 'string', default: 'admin' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new Problem(reasonOf(error), { exitCode: 2 });
  }
}

async function printSecrets(file: string): Promise<void> {
  const { signingKeys, clusterIdKey, secretsKeys } = await loadSecrets(file);
  console.log(
    JSON.stringify({
      SIGNING_KEYS: JSON.stringify(signingKeys),
      CLUSTER_ID_KEY: clusterIdKey,
      SECRETS_KEYS: JSON.stringify(secretsKeys),
    }),
  );
}

/** Asks the plane as its operator. */
async function ask(file: string, { issuer, method, path, body }: Question): Promise<unknown> {
  const [key] = (await loadSecrets(file)).signingKeys;
  if (key === undefined) throw new Problem(`${file} holds no signing key`);
  const token = await mintToken(key, { issuer, audience: 'outrider-operator', subject: 'operator' });
  const response = await fetch(issuer + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Problem(`the plane answered ${response.status}: ${text.slice(0, QUOTED_CHARACTERS)}`);
  return JSON.parse(text);
}

async function makeAdministrator(file: string, issuer: string, username: string): Promise<void> {
  const { answer, password } = await giveFirstPassword(`${file}.first-password`, async (given) => {
    const body = { username, password: given };
    return Answer.parse(await ask(file, { issuer, method: 'PUT', path: '/v1/setup/administrator', body }));
  });
  console.log(
    password === null
      ? 'there is an administrator already; nothing was changed'
      : `administrator ${answer.user.username}, one-time password ${password}`,
  );
}

/** Where an answer is lost, a second reset loses nothing, so the password is kept nowhere. */
async function resetPassword(file: string, issuer: string, username: string): Promise<void> {
  const password = oneTimePassword();
  const body = { username, password };
  const { user } = Reset.parse(await ask(file, { issuer, method: 'POST', path: '/v1/setup/password', body }));
  // Where the first one was never changed, it was kept: here, or in the data folder of a plane on this machine.
  for (const kept of [`${file}.first-password`, join(dirname(file), 'first-password')]) await rm(kept, { force: true });
  console.log(`administrator ${user.username}, one-time password ${password}`);
}

/** Some at a time, until none is left. */
async function reencrypt(file: string, issuer: string): Promise<void> {
  let total = 0;
  for (let left = 1; left > 0;) {
    const path = '/v1/setup/reencrypt';
    const answer = Reencrypted.parse(await ask(file, { issuer, method: 'POST', path }));
    if (answer.reencrypted === 0 && answer.left > 0)
      throw new Problem(`${answer.left} texts were changed meanwhile; run it again`);
    total += answer.reencrypted;
    ({ left } = answer);
  }
  console.log(`sealed anew: ${total}; nothing is left that an older key sealed`);
}

/** The plane's origin. What is sent there may be used once by whoever reads it: it must be encrypted. */
function checkUrl(value: string | undefined): string {
  const url = value !== undefined && URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:') throw new Problem('--url is the address of the plane: https://…', { exitCode: 2 });
  return url.origin;
}

async function run(): Promise<void> {
  const { values, positionals } = readArguments();
  const [command] = positionals;
  if (values.help || command === undefined) {
    console.log(USAGE);
    return;
  }
  if (values.secrets === undefined) throw new Problem('--secrets names the file with the secrets', { exitCode: 2 });
  // npm runs its scripts in the checkout; the person's own folder is what a relative path means.
  const file = resolve(process.env['INIT_CWD'] ?? '.', values.secrets);
  if (command === 'secrets') {
    await printSecrets(file);
  } else if (command === 'administrator') {
    await makeAdministrator(file, checkUrl(values.url), values.username);
  } else if (command === 'reset-password') {
    await resetPassword(file, checkUrl(values.url), values.username);
  } else if (command === 'reencrypt') {
    await reencrypt(file, checkUrl(values.url));
  } else {
    throw new Problem(`there is no command '${command}' (npm run operator -- --help)`, { exitCode: 2 });
  }
}

try {
  await run();
} catch (error) {
  console.error(`outrider: ${reasonOf(error)}`);
  process.exitCode = error instanceof Problem ? error.exitCode : 1;
}
