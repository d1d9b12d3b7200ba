import { beforeAll, expect, test } from 'vitest';
import { testSecrets } from '#test/support/secrets.ts';
import { checkConfig, type Config } from '../env.ts';
import { open, seal } from './secret-box.ts';

const PLACE = ['providers', 'github', 'secrets'] as const;
const TEXT = 'a secret, ü';

const configWith = async (keys: string): Promise<Config> =>
  await checkConfig({
    PUBLIC_URL: 'https://plane.example.com',
    PUBLIC_CA: '',
    AGENT_IMAGE: 'agent:1',
    ...testSecrets(),
    SECRETS_KEYS: keys,
  });

const key = (id: string) => ({
  id,
  key: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'),
});
const [oldKey, newKey] = [key('old'), key('new')];
let before: Config;
let during: Config;
let after: Config;
beforeAll(async () => {
  before = await configWith(JSON.stringify([oldKey]));
  during = await configWith(JSON.stringify([newKey, oldKey]));
  after = await configWith(JSON.stringify([newKey]));
});

test('what was sealed opens, and no two sealed texts are alike', async () => {
  const [first, second] = [await seal(before, PLACE, TEXT), await seal(before, PLACE, TEXT)];
  expect(first).not.toBe(second);
  expect(first).toMatch(/^old\./);
  expect(await open(before, PLACE, first)).toBe(TEXT);
});

test('the first key seals and every key opens, until it is taken out', async () => {
  const sealed = await seal(before, PLACE, TEXT);
  expect(await open(during, PLACE, sealed)).toBe(TEXT);
  expect(await seal(during, PLACE, TEXT)).toMatch(/^new\./);
  await expect(open(after, PLACE, sealed)).rejects.toMatchObject({ name: 'SealedError' });
});

// Checked by leaving the additional data out: the first two of these then open.
test.each([
  ['moved to another row', async (sealed: string) => await open(during, ['providers', 'oidc', 'secrets'], sealed)],
  ['moved to another column', async (sealed: string) => await open(during, ['providers', 'github', 'other'], sealed)],
  ['relabelled with another key', async (sealed: string) => await open(during, PLACE, sealed.replace('new.', 'old.'))],
  ['of an unknown key', async (sealed: string) => await open(during, PLACE, sealed.replace('new.', 'none.'))],
  ['cut short', async (sealed: string) => await open(during, PLACE, sealed.slice(0, -4))],
  ['empty', async () => await open(during, PLACE, '')],
])('a sealed text that is %s does not open, and the error holds nothing of it', async (_what, attempt) => {
  const sealed = await seal(during, PLACE, TEXT);
  const error = await attempt(sealed).then(
    () => expect.fail('was opened'),
    (reason: unknown) => reason as Error,
  );
  expect(error.name).toBe('SealedError');
  expect(error.message).not.toContain(sealed.split('.')[2]);
});
