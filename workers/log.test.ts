import { expect, test, vi } from 'vitest';
import { describeError, loggablePath, logRequest } from './log.ts';

test.each([
  ['/import/abcdefg.yaml', '/import/…'],
  ['/import/abcdefg.yaml/more', '/import/…'],
  ['//import/abcdefg.yaml', '//import/…'],
  ['/outrider/import/abcdefg.yaml', '/outrider/import/…'],
  ['/Import/abcdefg.yaml', '/Import/…'],
  ['/v1/imports/x', '/v1/imports/x'],
])('the registration token of the import address %s never reaches the log', (path, logged) => {
  expect(loggablePath(path)).toBe(logged);
  expect(describeError(new Error(`at https://plane${path} failed`))).not.toContain('abcdefg');
});

test('a request is one line of JSON', () => {
  const print = vi.spyOn(console, 'log').mockReturnValue();
  const request = { requestId: 'r', method: 'GET', path: '/a\n{"level":"error"}', status: 503, milliseconds: 2 };
  logRequest({ ...request, code: 'tunnel_down' });
  // The cluster's own answer is no fault of the plane's.
  logRequest(request);
  const lines = print.mock.calls.map(([line]) => String(line));
  expect(lines.join('')).not.toContain('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: 'error', message: 'request', requestId: 'r', status: 503, code: 'tunnel_down' },
    { level: 'info', message: 'request', requestId: 'r', status: 503 },
  ]);
  print.mockRestore();
});

test('an error that names a URL is described without its query', () => {
  const error = new TypeError('Invalid URL: https://x:99999/k8s?token=hunter2&outrider=call~a, and http://y/z');
  expect(describeError(error)).toContain('Invalid URL: https://x:99999/k8s?…');
  expect(describeError(error)).not.toMatch(/hunter2|outrider=/);
});
