import { expect, test } from 'vitest';
import { parseProxyUrl, pathOf, proxyUrl } from './target.ts';

const ORIGIN = 'https://outrider.example.com';

test.each([
  ['/k8s/clusters/c-1', 'c-1', '/'],
  ['/k8s/clusters/c-1/', 'c-1', '/'],
  ['/k8s/clusters/c-1?a=b', 'c-1', '/?a=b'],
  ['/k8s/clusters/c-1/api/v1/pods?a=b&a=c', 'c-1', '/api/v1/pods?a=b&a=c'],
  ['/k8s/clusters/c-1//api//v1', 'c-1', '//api//v1'],
  ['/k8s/clusters/c-1/a%2Fb%20c', 'c-1', '/a%2Fb%20c'],
  ['/k8s/clusters/c-1/x#fragment', 'c-1', '/x'],
  ['/k8s/clusters/%63-1/x', '%63-1', '/x'],
  ['/k8s/clusters/c-1/k8s/clusters/c-2/x', 'c-1', '/k8s/clusters/c-2/x'],
])('%s is cluster %s, target %s', (path, cluster, target) => {
  expect(parseProxyUrl(ORIGIN + path)).toEqual({ cluster, target });
});

test.each([
  '/',
  '/k8s/clusters',
  '/k8s/clusters/',
  '/k8s/clusters//c-1',
  '/v1/k8s/clusters/c-1',
  '/K8s/clusters/c-1',
  '/k8s/clusters?c-1',
  '/x?/k8s/clusters/c-1',
])('%s is not a path of the proxy', (path) => {
  expect(parseProxyUrl(ORIGIN + path)).toBeNull();
  expect(() => proxyUrl(ORIGIN + path)).toThrow('the path is /k8s/clusters/');
});

test.each(['', '/', '/a/b', '/a%2Fb', '//a', '/a?b#c', '/a#b?c', '?a', '/a?b/c'])(
  'the path of %s is what URL says',
  (rest) => {
    expect(pathOf(new URL(ORIGIN + rest).href)).toBe(new URL(ORIGIN + rest).pathname);
  },
);
