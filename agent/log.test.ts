import { expect, it } from 'vitest';
import { createLogger, describeError, redact } from './log.ts';

const AT = new Date('2026-11-21T10:00:00Z');

function lines(level: 'debug' | 'info' = 'info') {
  const written: Record<string, unknown>[] = [];
  return {
    written,
    log: createLogger(
      level,
      (line) => written.push(JSON.parse(line)),
      () => AT,
    ),
  };
}

it('writes one JSON object for each line', () => {
  const { written, log } = lines();
  log.info('the tunnel is up', { epoch: 1, standby: false, nothing: undefined });
  expect(written).toEqual([
    { time: '2026-11-21T10:00:00.000Z', level: 'info', message: 'the tunnel is up', epoch: 1, standby: false },
  ]);
});

it('leaves out what is below its level', () => {
  const { written, log } = lines();
  log.debug('detail');
  expect(written).toEqual([]);
});

it.each([
  'token',
  'registrationToken',
  'credential',
  'clientSecret',
  'password',
  'Authorization',
  'privateKey',
  'cookie',
])('never writes a field named %s', (name) => {
  const { written, log } = lines();
  log.warn('x', { [name]: 'hunter2' });
  expect(JSON.stringify(written)).not.toContain('hunter2');
});

it.each([
  ['a JSON Web Token', 'got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl back', 'eyJzdWIi'],
  ['a bearer value', 'header Authorization: Bearer abc.def-123', 'abc.def'],
  ["a URL's password", 'connect to http://user:hunter2@proxy:3128 failed', 'hunter2'],
  ['a private key', '-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----', 'MC4CAQAw'],
])('takes %s out of any text', (_case, text, secret) => {
  const { written, log } = lines();
  log.error(text, { detail: text });
  expect(JSON.stringify(written)).not.toContain(secret);
  expect(redact(text)).toContain('[redacted]');
});

it('says what an error and its causes say', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443'), { code: 'ECONNREFUSED' });
  expect(describeError(new Error('fetch failed', { cause }))).toBe('fetch failed: connect ECONNREFUSED 10.0.0.1:443');
  expect(describeError(new AggregateError([new Error('a'), new Error('b')], ''))).toBe('a, b');
  expect(describeError(Object.assign(new Error('bad'), { code: 'E_X' }))).toBe('bad (E_X)');
  expect(describeError('text')).toBe('text');
});
