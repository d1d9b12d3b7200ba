import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { setUp } from '#scripts/local/setup.ts';
import { Scratch, reach } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

const run = promisify(execFile);

/** `npm run operator`, without npm. */
async function operator(plane: Plane, ...arguments_: string[]): Promise<string> {
  const secrets = ['--secrets', plane.dataDir.secretsFile, '--url', plane.url];
  const { stdout } = await run(
    process.execPath,
    ['scripts/bootstrap.mjs', 'scripts/operator/main.ts', ...arguments_, ...secrets],
    { cwd: PROJECT, env: { ...process.env, NODE_EXTRA_CA_CERTS: plane.dataDir.caFile } },
  );
  return stdout.trim();
}

const signIn = async (plane: Plane, body: Record<string, string>): Promise<number> => {
  const headers = { 'content-type': 'application/json' };
  const answer = await reach(plane, '/v1/auth/local', { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.status;
};

test('an administrator who lost their password is let in again by whoever holds the signing key', async () => {
  const plane = await scratch.plane({ project: PROJECT });
  const { administrator } = await setUp(plane);
  const username = administrator.username;
  const line = await operator(plane, 'reset-password', '--username', username);
  const [, password = ''] = /^administrator admin, one-time password ([a-z2-7-]{23})$/.exec(line) ?? [];
  expect(await signIn(plane, { username, password: String(administrator.password) })).toBe(401);
  expect(await signIn(plane, { username, password, newPassword: 'a password of my own' })).toBe(200);
  // The first one is good for nothing now, and is not shown again.
  await expect(access(plane.dataDir.firstPasswordFile)).rejects.toThrow('ENOENT');
  await expect(operator(plane, 'reset-password', '--username', 'nobody')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no administrator named nobody'),
  });
});

test('the operator has the plane seal its secrets anew, and hears when nothing is left', async () => {
  const plane = await scratch.plane({ project: PROJECT });
  expect(await operator(plane, 'reencrypt')).toBe('sealed anew: 0; nothing is left that an older key sealed');
});
