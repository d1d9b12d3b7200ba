import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { expect, it } from 'vitest';
import { createLogger } from '../log.ts';
import { AgentMetrics } from '../metrics.ts';
import { PlaneRefusal } from './plane.ts';
import { type Ended, ReconnectPolicy } from './reconnect.ts';
import { type Enrolment, TunnelRunner } from './runner.ts';

/** Notes how attempts ended, and does not wait. */
class Impatient extends ReconnectPolicy {
  readonly ends: string[] = [];
  override next(ended: Ended): number {
    this.ends.push(ended.how);
    return 0;
  }
}

async function enrolment(credential: string): Promise<Enrolment> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = await webcrypto.subtle.importKey(
    'pkcs8',
    privateKey.export({ format: 'der', type: 'pkcs8' }),
    'Ed25519',
    false,
    ['sign'],
  );
  return { cluster: 'c-1', credential, privateKey: key, kubernetesVersion: 'v1.34.2' };
}

it.each([401, 404])(
  'dials with its stored credential again after a %i, at the slow pace, when it cannot register',
  async (status) => {
    const policy = new Impatient();
    const stored = await enrolment('stored');
    const steps: string[] = [];
    const runner: TunnelRunner = new TunnelRunner({
      instance: 'a'.repeat(16),
      role: 'cluster',
      agentVersion: '0',
      capabilities: [],
      enrol: (rejected) => {
        steps.push(`enrol ${rejected ?? 'as stored'}`);
        return rejected === null ? Promise.resolve(stored) : Promise.reject(new Error('no registration token'));
      },
      dial: (credential) => {
        steps.push(`dial ${credential}`);
        if (steps.length > 4) runner.kill('the test is over');
        return Promise.reject(new PlaneRefusal(status, 'no'));
      },
      serve: () => undefined,
      metrics: new AgentMetrics('0'),
      log: createLogger('error', () => undefined),
      policy,
    });
    await runner.run();
    expect(steps).toEqual(['enrol as stored', 'dial stored', 'enrol stored', 'enrol as stored', 'dial stored']);
    expect(policy.ends).toEqual(['refused', 'refused']);
  },
);

it('dials at once with what a new registration gave', async () => {
  const policy = new Impatient();
  const steps: string[] = [];
  const [stored, fresh] = await Promise.all([enrolment('stored'), enrolment('fresh')]);
  const runner: TunnelRunner = new TunnelRunner({
    instance: 'a'.repeat(16),
    role: 'cluster',
    agentVersion: '0',
    capabilities: [],
    enrol: (rejected) => Promise.resolve(rejected === null ? stored : fresh),
    dial: (credential) => {
      steps.push(credential);
      if (credential === 'fresh') runner.kill('the test is over');
      return Promise.reject(new PlaneRefusal(401, 'no'));
    },
    serve: () => undefined,
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
    policy,
  });
  await runner.run();
  expect(steps).toEqual(['stored', 'fresh']);
});

it.each([
  ['nothing listens', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'away'],
  ['there is no way', Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' }), 'away'],
  ['the connection breaks', Object.assign(new Error('read'), { code: 'ECONNRESET' }), 'away'],
  ['nothing is answered', new Error('the plane did not answer in time'), 'failed'],
  ['the answer is 503', new PlaneRefusal(503, 'no'), 'failed'],
  ['the answer is 429', new PlaneRefusal(429, 'no'), 'failed'],
])('where %s, that is what its pace follows', async (_, error, how) => {
  const policy = new Impatient();
  let dials = 0;
  const stored = await enrolment('stored');
  const runner: TunnelRunner = new TunnelRunner({
    instance: 'a'.repeat(16),
    role: 'cluster',
    agentVersion: '0',
    capabilities: [],
    enrol: () => Promise.resolve(stored),
    dial: () => {
      if (++dials > 1) runner.kill('the test is over');
      return Promise.reject(error);
    },
    serve: () => undefined,
    metrics: new AgentMetrics('0'),
    log: createLogger('error', () => undefined),
    policy,
  });
  await runner.run();
  expect(policy.ends).toEqual([how]);
});
