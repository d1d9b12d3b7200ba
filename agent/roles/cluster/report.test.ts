import { expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { createLogger } from '../../log.ts';
import { reported } from './report.ts';

const HEAD = {
  method: 'GET',
  target: '/api/v1/pods?token=secret',
  fields: [
    ['x-request-id', 'abcdefgh'],
    ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ['cookie', 'secret'],
  ] as [string, string][],
};
const COUNTED = { head: () => undefined, answered: () => undefined, reset: () => undefined };

/** The lines of one request at a level. */
function lines(level: 'debug' | 'info', end: (report: ReturnType<typeof reported>) => void): unknown[] {
  const written: string[] = [];
  end(
    reported(
      createLogger(level, (line) => written.push(line)),
      HEAD,
      COUNTED,
    ),
  );
  expect(written.join('')).not.toContain('secret');
  return written.map((line) => JSON.parse(line) as unknown);
}

test('a request is one line, by the names that the plane’s log and the client have for it', () => {
  const names = { requestId: 'abcdefgh', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
  const said = { level: 'debug', message: 'request', method: 'GET', path: '/api/v1/pods', ...names };
  expect(lines('debug', (report) => report.answered(200))).toMatchObject([{ ...said, outcome: '200' }]);
  expect(lines('debug', (report) => report.reset(ProtocolCode.UPSTREAM_LOST))).toMatchObject([
    { ...said, outcome: 'UPSTREAM_LOST' },
  ]);
});

test('it is written only where somebody asked for it', () => {
  expect(lines('info', (report) => report.answered(200))).toEqual([]);
});
