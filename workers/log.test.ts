import { expect, test, vi } from 'vitest';
import { describeError, loggablePath, logRequest } from './log.ts';

test('the registration token of an import address never reaches the log', () => {
  expect(loggablePath('/import/abcdefg.yaml')).toBe('/import/…');
  expect(describeError(new Error('at https://plane/import/abcdefg.yaml failed'))).not.toContain('abcdefg');
});

test('a request is one line of JSON', () => {
  const print = vi.spyOn(console, 'log').mockReturnValue();
  logRequest({ requestId: 'r', method: 'GET', path: '/a\n{"level":"error"}', status: 503, milliseconds: 2 });
  const [line] = print.mock.calls[0] ?? [];
  expect(line).not.toContain('\n');
  expect(JSON.parse(String(line))).toMatchObject({ level: 'error', message: 'request', requestId: 'r', status: 503 });
  print.mockRestore();
});
