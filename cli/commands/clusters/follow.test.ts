import { describe, expect, test } from 'vitest';
import { Client } from '#schema/api/client.ts';
import { refusalOf, unreachable } from '../../plane/failures.ts';
import type { ClusterRow } from '../../output/kinds.ts';
import { follow } from './follow.ts';

const cluster = (status: 'True' | 'False' | 'Unknown'): ClusterRow => ({
  id: 'c-gaaaaaaaaaaaaaaaaaa',
  kind: 'Cluster',
  metadata: {
    name: 'prod',
    generation: 1,
    resourceVersion: '1',
    createdAt: '2026-02-26T12:00:00.000Z',
    createdBy: 'u-aaaaaaaaaa',
    finalizers: [],
    deletedAt: null,
  },
  spec: {},
  status: {
    connectedAt: null,
    lastConnectedAt: null,
    kubernetesVersion: status === 'True' ? 'v1.34.2' : null,
    agentVersion: null,
    kubeSystemUid: null,
    conditions: [
      {
        type: 'Connected',
        status,
        reason: 'Because',
        message: 'so',
        lastTransitionTime: '2026-02-26T12:00:00.000Z',
        observedGeneration: 1,
      },
    ],
  },
  links: {},
});

/** A wait in virtual time, at a plane that answers one thing after another, the last for ever. */
async function waiting(...answers: (ClusterRow | 'gone' | 'refuses')[]) {
  const { signal } = new AbortController();
  const said: string[] = [];
  let now = 0;
  const api = new Client({
    origin: 'https://p',
    ask: async () => {
      const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? 'gone';
      if (answer === 'gone') throw unreachable('https://p', new Error('gone'), { hasCa: false });
      return answer === 'refuses'
        ? { status: 403, text: async () => '' }
        : { status: 200, text: async () => JSON.stringify(answer) };
    },
    failure: (error) => refusalOf('https://p', error),
  });
  const clock = { now: () => now, pause: async (ms: number) => void (now += ms) };
  const ended = follow({ say: (line) => void said.push(line), signal }, api, cluster('Unknown'), {
    timeoutMs: 120_000,
    clock,
  }).then(
    () => null,
    (error: unknown) => error,
  );
  return { failure: await ended, said, waited: () => now };
}

describe('an import that is followed', () => {
  test('ends when the agent is connected, and says what to do next', async () => {
    const { failure, said, waited } = await waiting(cluster('Unknown'), cluster('False'), cluster('True'));
    expect(failure).toBeNull();
    expect(said).toEqual([
      'Waiting for the agent of prod …',
      'prod is connected: Kubernetes v1.34.2.',
      'Next: outrider kubeconfig add prod --use',
    ]);
    expect(waited()).toBe(4000);
  });

  test('says once where to look when nothing comes, and ends at its time', async () => {
    const { failure, said } = await waiting(cluster('False'));
    expect(failure).toMatchObject({ exit: 'timed-out', message: 'prod did not connect within 2m' });
    expect(said).toEqual([
      'Waiting for the agent of prod …',
      expect.stringContaining('kubectl -n outrider-system logs'),
    ]);
  });

  test('goes on through a plane that is away for a moment', async () => {
    // Tried without it: the first ends the wait.
    const { failure, said } = await waiting('gone', 'gone', cluster('True'));
    expect(failure).toBeNull();
    expect(said[1]).toBe('cannot reach https://p: gone; still trying.');
    expect(said).toHaveLength(4);
  });

  test('ends where the plane refuses', async () => {
    expect((await waiting('refuses')).failure).toMatchObject({ exit: 'not-permitted' });
  });
});
