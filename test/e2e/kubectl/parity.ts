import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Clients } from '../../support/processes/kubectl.ts';
import { configMap, IDLE, namespace, shellDeployment, shellPod, WEB_SERVER } from '../../support/objects.ts';
import type { Person } from '../../support/people.ts';
import type { World } from '../../support/worlds/world.ts';
import { CHANGING } from '../parity/changing.ts';
import type { Command } from '../parity/commands.ts';
import { normalise, RULE_NAMES, type Side } from '../parity/normalise.ts';
import { READING } from '../parity/reading.ts';
import { REFUSALS, WITHOUT_RIGHTS } from '../parity/refusals.ts';

/** Where each way works; of equal length, so that columns stay where they are. */
const SPACES = { through: 'parity-one', direct: 'parity-two' } as const;
type Way = keyof typeof SPACES;

/** The least that issue 3 asks for. */
const COMMANDS_AT_LEAST = 60;

/**
 * The same command through the plane and straight to the API server, by the same user, groups and extras: standard output, standard
 * error and exit code are the same, but for what `parity/normalise.ts` lists.
 */
export function parity(world: () => World): void {
  let member: Person;
  const seen = new Set<string>();

  beforeAll(async () => {
    member = await world().addPerson('paula', 'member');
    const { admin } = world();
    await admin.apply(...POLICY);
    await Promise.all(Object.values(SPACES).map((space) => furnish(admin, space)));
    // A policy is in force some time after it was accepted.
    const create = ['-n', SPACES.direct, 'create', '--dry-run=server', 'configmap', 'forbidden'];
    await vi.waitUntil(async () => (await admin.kubectl(create)).code === 1, { timeout: 30_000, interval: 200 });
  }, 180_000);

  const tables = { reading: READING, changing: CHANGING, refused: REFUSALS };
  for (const [name, commands] of Object.entries(tables)) {
    describe(`what kubectl says when ${name}`, () => {
      test.for(commands.map(titled))('$title', async ({ command }) => await compare(world().owner, command));
    });
  }
  describe('what kubectl says without rights', () => {
    test.for(WITHOUT_RIGHTS.map(titled))('$title', async ({ command }) => await compare(member, command));
  });

  test('the table is as long as it has to be', () => {
    const all = [...READING, ...CHANGING, ...REFUSALS, ...WITHOUT_RIGHTS];
    expect(all.length).toBeGreaterThanOrEqual(COMMANDS_AT_LEAST);
    console.log(`${all.length} commands were compared`);
  });

  test('nothing is normalised that need not be', () => {
    expect(RULE_NAMES.filter((name) => !seen.has(name))).toEqual([]);
  });

  async function compare(person: Person, command: Command): Promise<void> {
    const [through, direct] = await Promise.all([
      attempt(person, 'through', command),
      attempt(person, 'direct', command),
    ]);
    expect(through.shown).toEqual(direct.shown);
    expect(direct.raw.code).toBe(command.code ?? 0);
    if (command.says !== undefined) expect(direct.raw.stdout + direct.raw.stderr).toContain(command.says);
  }

  async function attempt(person: Person, way: Way, command: Command) {
    const clients = person[way];
    const space = SPACES[way];
    const dir = join(world().dir, 'parity');
    await mkdir(dir, { recursive: true });
    const fill = (text: string): string =>
      text.replaceAll('{ns}', space).replaceAll('{other}', `${space}-other`).replaceAll('{dir}', dir);
    const words = typeof command.run === 'string' ? command.run.split(' ') : command.run;
    const input = typeof command.input === 'object' ? JSON.stringify(command.input) : command.input;
    const named = words.includes('-n') ? [] : ['-n', space];
    const raw = await clients.kubectl(
      [...named, ...words.map(fill)],
      input === undefined ? {} : { input: fill(input) },
    );
    const servers = await Promise.all([person.through, person.direct].map(serverOf));
    const side: Side = { namespace: space, servers };
    const [stdout, stderr] = [raw.stdout, raw.stderr].map((text) => normalise(text, side, seen));
    return { raw, shown: { stdout, stderr, code: raw.code } };
  }
}

const titled = (command: Command): { title: string; command: Command } => ({
  title: `kubectl ${typeof command.run === 'string' ? command.run : command.run.join(' ')}`,
  command,
});

async function serverOf({ kubeconfig }: Clients): Promise<string> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8'));
  return config.clusters[0].cluster.server;
}

/** Makes what the commands find. */
async function furnish(admin: Clients, space: string): Promise<void> {
  const security = 'pod-security.kubernetes.io';
  await admin.apply(namespace(space, { [`${security}/enforce`]: 'baseline', [`${security}/warn`]: 'restricted' }));
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  };
  const items = [
    configMap('plain', { a: '1' }),
    shellPod('web', WEB_SERVER),
    shellPod('done', 'echo finished', { spec: { restartPolicy: 'Never' } }),
    shellDeployment('app', 1, IDLE),
    service,
  ];
  const inSpace = ['-n', space];
  await admin.ok([...inSpace, 'apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  });
  await admin.ok([...inSpace, 'wait', 'pod/web', '--for=condition=Ready', '--timeout=90s']);
  await admin.ok([...inSpace, 'rollout', 'status', 'deployment/app', '--timeout=90s']);
  await admin.ok([...inSpace, 'wait', 'pod/done', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=90s']);
}

/** An admission policy of the cluster's own. */
const POLICY: readonly object[] = [
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'parity' },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      },
      validations: [{ expression: "object.metadata.name != 'forbidden'", message: 'nothing may be called forbidden' }],
    },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name: 'parity' },
    spec: { policyName: 'parity', validationActions: ['Deny'] },
  },
];
