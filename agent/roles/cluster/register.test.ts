import { expect, it } from 'vitest';
import { type KubeCalls, KubeError, type Secret } from '../../kube/calls.ts';
import { createLogger } from '../../log.ts';
import { enroller, MAX_CONFLICTS } from './register.ts';

/** A cluster's Secret, and answers of `/version` that come when the test says so. */
function world(replaced: () => void = () => undefined) {
  let secret: Secret = { metadata: { name: 'outrider-agent', namespace: 'outrider-system' } };
  let registrations = 0;
  const versions: ((version: string) => void)[] = [];
  const kube: KubeCalls = {
    createToken: () => Promise.reject(new Error('not asked for')),
    readSecret: () => Promise.resolve(structuredClone(secret)),
    replaceSecret: async (next) => {
      replaced();
      secret = next;
      return structuredClone(secret);
    },
    namespaceUid: () => Promise.resolve('11111111-2222-4333-8444-555555555555'),
    version: () => new Promise((resolve) => versions.push(resolve)),
  };
  const enrol = enroller({
    kube,
    namespace: 'outrider-system',
    registrationToken: () => Promise.resolve('a'.repeat(32)),
    register: () =>
      Promise.resolve({ cluster: 'c-gaaaaaaaaaabbbbbbbb', credential: `credential-number-${++registrations}` }),
    log: createLogger('error', () => undefined),
  });
  /** Answers the n-th call of `/version` (from 0) once it is made. */
  const answer = async (nth: number, version: string): Promise<void> => {
    await expect.poll(() => versions.length).toBeGreaterThan(nth);
    versions[nth]?.(version);
  };
  return { enrol, answer };
}

it('goes by the version of a cluster that was upgraded from the dial after the next', async () => {
  const { enrol, answer } = world();
  const first = enrol(null);
  await answer(0, 'v1.33.0');
  expect(await first).toMatchObject({ credential: 'credential-number-1', kubernetesVersion: 'v1.33.0' });
  await enrol(null);
  await answer(1, 'v1.34.0');
  expect(await enrol(null)).toMatchObject({ kubernetesVersion: 'v1.34.0' });
});

it('does not fall back to a credential that was replaced while the version was asked for', async () => {
  const { enrol, answer } = world();
  const first = enrol(null);
  await answer(0, 'v1.34.0');
  await first;
  await enrol(null);
  const again = enrol('credential-number-1');
  await answer(2, 'v1.34.0');
  expect(await again).toMatchObject({ credential: 'credential-number-2' });
  await answer(1, 'v1.34.0');
  expect(await enrol(null)).toMatchObject({ credential: 'credential-number-2' });
});

it('changes its Secret again when somebody else was faster, but not for ever', async () => {
  let attempts = 0;
  const { enrol } = world(() => {
    attempts++;
    throw new KubeError(409, 'somebody else was faster');
  });
  await expect(enrol(null)).rejects.toThrow('somebody else was faster');
  expect(attempts).toBe(1 + MAX_CONFLICTS);
});
