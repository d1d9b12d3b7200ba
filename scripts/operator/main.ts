import { parseArgs } from 'node:util';
import { z } from 'zod';
import { mintToken, randomBase32 } from '../local/mint.ts';
import { Problem, reasonOf } from '../local/problem.ts';
import { loadSecrets } from '../local/state/secrets.ts';

const USAGE = `What only the holder of a plane's signing key can do (schema/decisions/0006-operator.md).

Usage: npm run operator -- <command> --secrets <file> [option…]

  secrets                    makes the file with the plane's secrets if there is none, and prints them in the form that
                             \`wrangler secret bulk\` reads; with npm run --silent it can be piped there
  administrator              makes the first administrator with a one-time password, and prints it
    --url <https://…>        the plane
    --username <name>        default admin
`;

/** 100 bits, in groups that can be read aloud. */
const oneTimePassword = (): string => Array.from({ length: 4 }, () => randomBase32(5)).join('-');

const Answer = z.object({ user: z.object({ id: z.string() }), created: z.boolean(), passwordPending: z.boolean() });

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
  const { signingKeys, clusterIdKey } = await loadSecrets(file);
  console.log(JSON.stringify({ SIGNING_KEYS: JSON.stringify(signingKeys), CLUSTER_ID_KEY: clusterIdKey }));
}

async function makeAdministrator(file: string, url: string, username: string): Promise<void> {
  const [key] = (await loadSecrets(file)).signingKeys;
  if (key === undefined) throw new Problem(`${file} holds no signing key`);
  const issuer = new URL(url).origin;
  const token = await mintToken(key, { issuer, audience: 'outrider-operator', subject: 'operator' });
  const password = oneTimePassword();
  const response = await fetch(`${issuer}/v1/setup/administrator`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  const text = await response.text();
  if (!response.ok) throw new Problem(`the plane answered ${response.status}: ${text.slice(0, 200)}`);
  const { created } = Answer.parse(JSON.parse(text));
  console.log(
    created
      ? `administrator ${username}, one-time password ${password}`
      : 'there is an administrator already; nothing was changed',
  );
}

async function run(): Promise<void> {
  const { values, positionals } = readArguments();
  const [command] = positionals;
  if (values.help || command === undefined) {
    console.log(USAGE);
    return;
  }
  if (values.secrets === undefined) throw new Problem('--secrets names the file with the secrets', { exitCode: 2 });
  if (command === 'secrets') {
    await printSecrets(values.secrets);
  } else if (command === 'administrator') {
    if (values.url === undefined || !URL.canParse(values.url)) {
      throw new Problem('--url is the address of the plane: https://…', { exitCode: 2 });
    }
    await makeAdministrator(values.secrets, values.url, values.username);
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
