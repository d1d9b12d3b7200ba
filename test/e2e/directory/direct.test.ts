import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { signIn } from '#schema/api/account/auth.ts';
import { signInWithProvider } from '#schema/api/providers/password.ts';
import { listUserPrincipals, searchPrincipals } from '#schema/api/providers/principals.ts';
import { endpointsOf } from '#schema/resources/endpoints.ts';
import { ProviderKind } from '#schema/resources/kinds/providers.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import { PlaneApi } from '../../support/api.ts';
import { newPassword, PUBLIC_NAME, TestDomain } from '../../support/worlds/domain.ts';
import { Command, Scratch } from '../../support/processes/local.ts';

// A real domain controller, asked by a real plane from workerd itself, with no cluster and no agent. Names are looked up where the plane alone sees them: in a mount namespace with an
// /etc/hosts of its own, which takes root. What a hostile directory could do is in `hostile.test.ts`. Checked by taking out, one at a time: the trusted certificate, the networks that may
// be reached (then what is at the rebound name was dialled).

/** A name of the controller that its certificate has not. */
const OTHER_NAME = 'dc2.corp.example';
/** A public name whose owner has it lead into this network. */
const REBOUND = 'rebound.corp.example';
const INSIDE = '127.0.0.9';

const readyLine = z.looseObject({
  url: z.url(),
  ca: z.string(),
  administrator: z.object({ username: z.string(), password: z.string() }),
});

const scratch = new Scratch();
let domain: TestDomain;
let plane: { url: string; caPem: string };
let api: PlaneApi;
let inside: Server;
let dialledInside = 0;
let inner: string;
let adaDn: string;
const password = newPassword();

beforeAll(async () => {
  domain = await TestDomain.start(console.log);
  scratch.defer(() => domain.stop());
  adaDn = await domain.addUser({ cn: 'Ada', login: 'ada', password, displayName: 'Ada Lovelace' });
  inner = await domain.addGroup('inner', [adaDn]);
  await domain.addGroup('operations', [inner]);
  inside = createServer((socket) => {
    dialledInside++;
    socket.destroy();
  }).listen(636, INSIDE);
  await once(inside, 'listening');
  scratch.defer(async () => new Promise((resolve) => inside.close(resolve)));

  const folder = await scratch.folder();
  const [hosts, trust] = [join(folder, 'hosts'), join(folder, 'ca.pem')];
  await writeFile(hosts, `127.0.0.1 localhost ${PUBLIC_NAME} ${OTHER_NAME}\n${INSIDE} ${REBOUND}\n`);
  await writeFile(trust, domain.caPem);
  const command = new Command(
    {
      checkout: PROJECT,
      under: ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts],
    },
    ...['--json', '--port', '0', '--data-dir', join(folder, 'data')],
    ...['--reach', '127.0.0.1', '--trust', trust],
  );
  scratch.defer(async () => {
    command.kill('SIGINT');
    await command.ended;
  });
  const ready = readyLine.parse(JSON.parse(await command.firstLine()));
  plane = { url: ready.url, caPem: await readFile(ready.ca, 'utf8') };
  const anybody = new PlaneApi(plane, 'none');
  const { token } = await anybody.json(signIn.result, 'POST', '/v1/auth/local', {
    ...ready.administrator,
    newPassword: 'a password of my own',
  });
  await anybody.close();
  api = new PlaneApi(plane, token ?? '');
  scratch.defer(() => api.close());
});
afterAll(() => scratch.clear());

const config = (changes: object = {}) => ({
  type: 'activedirectory',
  via: { kind: 'direct' },
  ...domain.config({ servers: [PUBLIC_NAME], port: 636, ca: null }),
  ...changes,
});

/** What the plane says of such a directory. */
async function tested(id: string, changes: object = {}): Promise<z.output<(typeof ProviderKind)['status']>['checks']> {
  await api.text('POST', '/v1/auth/providers', {
    metadata: { name: id },
    spec: { displayName: id, config: config(changes) },
  });
  const { result } = endpointsOf(ProviderKind).actions.test;
  return (await api.json(result, 'POST', `/v1/auth/providers/${id}/test`)).status.checks;
}

const typed = async (username: string, given: string): Promise<{ status: number; text: string }> => {
  const anybody = new PlaneApi(plane, 'none');
  try {
    return await anybody.call('POST', '/v1/auth/providers/corp/password', { username, password: given });
  } finally {
    await anybody.close();
  }
};

test('a public directory is tested and enabled without a cluster', async () => {
  expect(await tested('corp')).toMatchObject([{ ok: true, detail: expect.stringContaining(PUBLIC_NAME) }]);
  await api.text('POST', '/v1/auth/providers/corp/enable');
});

test('somebody signs in, and a wrong password and an unknown name are told alike', async () => {
  const [wrong, unknown] = [await typed('ada', newPassword()), await typed('nobody', newPassword())];
  expect([wrong.status, unknown.status]).toEqual([401, 401]);
  const right = await typed('ada', password);
  expect(right.status).toBe(200);
  const { user } = signInWithProvider.result.parse(JSON.parse(right.text));
  const principals = await api.json(listUserPrincipals.result, 'GET', `/v1/users/${user.id}/principals`);
  expect(principals.items).toMatchObject([{ principal: `corp_user://${await domain.shownGuid('ada')}`, gone: false }]);
});

test('groups are found by their names, and somebody who is gone is known to be with the next refresh', async () => {
  const found = await api.json(searchPrincipals.result, 'GET', '/v1/principals?provider=corp&query=operations');
  expect(found.items).toMatchObject([{ kind: 'group', name: 'operations' }]);
  const { user } = signInWithProvider.result.parse(JSON.parse((await typed('ada', password)).text));
  const refreshed = z.object({ items: z.array(z.looseObject({})) });
  const refresh = async () => (await api.json(refreshed, 'POST', `/v1/users/${user.id}/refresh`)).items;
  expect(await refresh()).toMatchObject([{ outcome: 'confirmed' }]);
  await domain.remove(adaDn);
  expect(await refresh()).toMatchObject([{ outcome: 'gone' }]);
});

test('a directory is asked by StartTLS, too', async () => {
  expect(await tested('starttls', { security: 'starttls', port: 389 })).toMatchObject([{ ok: true }]);
});

test.each([
  ['ldaps', 636],
  ['starttls', 389],
])('by %s, a server whose certificate is for another name is not asked', async (security, port) => {
  const [check] = await tested(`other${security}`, { servers: [OTHER_NAME], security, port });
  expect(check?.ok).toBe(false);
  expect(check?.detail).toContain('its certificate is not one that the public trusts for this name');
});

test('a server that is down is passed over for the next', async () => {
  expect(await tested('second', { servers: ['nowhere.corp.example', PUBLIC_NAME] })).toMatchObject([{ ok: true }]);
});

test('attack: a public name that leads into the plane’s own network is not dialled', async () => {
  expect(await tested('rebound', { servers: [REBOUND] })).toMatchObject([{ ok: false }]);
  expect(dialledInside).toBe(0);
});
