import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Plane } from '#scripts/local/plane.ts';
import { FakeApiServer } from '../../support/fakes/api-server.ts';
import { makePki } from '../../support/fakes/world.ts';
import { startAgentInProcess } from '../../support/processes/agent.ts';
import { type Cli, startSignedIn } from '../../support/processes/cli.ts';
import { Scratch } from '../../support/processes/local.ts';

const scratch = new Scratch();
let plane: Plane;
let admin: Cli;

beforeAll(async () => void ({ plane, admin } = await startSignedIn(scratch)));
afterAll(async () => scratch.clear());

test('import --wait ends when the agent of the printed command has come; get says whether it is there', async () => {
  const pki = await makePki();
  scratch.defer(() => pki.remove());
  const server = await FakeApiServer.start(pki.identity);
  scratch.defer(() => server.stop());
  const importing = admin.start(['clusters', 'import', 'prod', '--wait']);
  importing.child.stdin?.end();
  const [, registrationToken = ''] = await importing.printed(/\/import\/([a-z2-7]{32})\.yaml/);
  const agent = await startAgentInProcess({
    dir: join(await scratch.folder(), 'agent'),
    server: plane.url,
    serverCa: plane.caPem,
    apiServer: server.url,
    apiServerCa: pki.caPem,
    bootstrapToken: 'bootstrap-token',
    registrationToken,
  });
  scratch.defer(() => agent.kill());
  expect(await importing.exited).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/prod is connected: Kubernetes v1\..*\nNext: outrider kubeconfig add prod --use\n$/),
  });
  expect(await admin.ok(['clusters', 'get', 'prod'])).toMatch(/^prod +Connected +v1\./m);
  expect((await admin.json(['clusters', 'get', 'prod'])).tunnels).toMatchObject([{ state: 'active' }]);
  // No object is asked for a list.
  expect(await admin.ok(['clusters', 'list'])).toMatch(/^prod +Imported +v1\./m);
  await agent.stop();
  expect(await admin.ok(['clusters', 'get', 'prod'])).toMatch(/^prod +Disconnected +v1\./m);
});
