import { expect, test } from 'vitest';
import { mayChange, requestInfo, type RequestInfo } from './request-info.ts';

type Row = [what: string, about: Partial<RequestInfo>];

/** The paths of kubectl, helm and controllers, and of `requestinfo_test.go`. */
const RESOURCES: Row[] = [
  ['GET /api/v1/namespaces', { verb: 'list', resource: 'namespaces', apiVersion: 'v1', apiGroup: '' }],
  ['GET /api/v1/namespaces/other', { verb: 'get', resource: 'namespaces', namespace: 'other', name: 'other' }],
  ['DELETE /api/v1/namespaces/other', { verb: 'delete', resource: 'namespaces', namespace: 'other', name: 'other' }],
  [
    'PUT /api/v1/namespaces/other/finalize',
    { verb: 'update', resource: 'namespaces', name: 'other', subresource: 'finalize' },
  ],
  [
    'PATCH /api/v1/namespaces/other/status',
    { verb: 'patch', resource: 'namespaces', name: 'other', subresource: 'status' },
  ],
  ['POST /api/v1/namespaces/other/pods', { verb: 'create', resource: 'pods', namespace: 'other', name: '' }],
  ['GET /api/v1/namespaces/other/pods?watch=1', { verb: 'watch', resource: 'pods' }],
  ['GET /api/v1/namespaces/other/pods?limit=5&watch=false', { verb: 'list', resource: 'pods' }],
  ['GET /api/v1/namespaces/other/pods?watch=0', { verb: 'list' }],
  ['GET /api/v1/namespaces/other/pods?watch', { verb: 'watch' }],
  ['GET /api/v1/namespaces/other/pods?watchdog=1', { verb: 'list' }],
  ['GET /api/v1/namespaces/other/pods/web?watch=1', { verb: 'get' }],
  ['GET /api/v1/watch/namespaces/other/pods', { verb: 'watch', resource: 'pods', namespace: 'other' }],
  ['HEAD /api/v1/namespaces/other/pods/foo', { verb: 'get', resource: 'pods', name: 'foo' }],
  [
    'DELETE /api/v1/namespaces/other/pods',
    { verb: 'deletecollection', resource: 'pods', namespace: 'other', name: '' },
  ],
  ['DELETE /api/v1/nodes', { verb: 'deletecollection', resource: 'nodes', namespace: '' }],
  [
    'POST /api/v1/namespaces/other/pods/foo/eviction',
    { verb: 'create', resource: 'pods', name: 'foo', subresource: 'eviction' },
  ],
  ['POST /api/v1/namespaces/other/pods/foo/binding', { verb: 'create', subresource: 'binding' }],
  [
    'PATCH /api/v1/namespaces/other/pods/foo/ephemeralcontainers',
    { verb: 'patch', subresource: 'ephemeralcontainers' },
  ],
  ['PUT /api/v1/namespaces/other/pods/foo/resize', { verb: 'update', subresource: 'resize' }],
  [
    'POST /api/v1/namespaces/other/serviceaccounts/foo/token',
    { verb: 'create', resource: 'serviceaccounts', name: 'foo', subresource: 'token' },
  ],
  [
    'GET /api/v1/namespaces/other/pods/foo/exec?command=sh',
    { verb: 'get', resource: 'pods', name: 'foo', subresource: 'exec' },
  ],
  ['POST /api/v1/namespaces/other/pods/foo/portforward', { verb: 'create', subresource: 'portforward' }],
  [
    'PATCH /apis/apps/v1/namespaces/other/deployments/web/scale?fieldManager=kubectl',
    {
      verb: 'patch',
      apiGroup: 'apps',
      apiVersion: 'v1',
      namespace: 'other',
      resource: 'deployments',
      name: 'web',
      subresource: 'scale',
    },
  ],
  [
    'PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/x',
    { verb: 'patch', apiGroup: 'rbac.authorization.k8s.io', resource: 'clusterroles', name: 'x', namespace: '' },
  ],
  [
    'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    { verb: 'create', resource: 'selfsubjectaccessreviews' },
  ],
  [
    'GET /api/v1/namespaces/other/services/https:web:443/proxy/a/b',
    { verb: 'get', resource: 'services', name: 'https:web:443', subresource: 'proxy', more: true },
  ],
  [
    'GET /api/v1/nodes/n1/proxy/run/ns/pod/c',
    { verb: 'get', resource: 'nodes', name: 'n1', subresource: 'proxy', more: true },
  ],
  [
    'GET /api/v1/proxy/namespaces/other/pods/foo/a/b',
    { verb: 'proxy', namespace: 'other', resource: 'pods', name: 'foo', subresource: '', more: true },
  ],
  ['POST /api/v1/proxy/nodes/n1', { verb: 'proxy', resource: 'nodes', name: 'n1', more: false }],
  ['PURGE /api/v1/nodes/n1', { verb: '', resource: 'nodes', name: 'n1' }],
  // Decoded once, as Go does it: an encoded slash separates.
  [
    'DELETE /api/v1/namespaces/other/pods/a%2Fstatus',
    { verb: 'delete', resource: 'pods', name: 'a', subresource: 'status' },
  ],
  [
    'DELETE /api/v1/namespaces/other/pods/a%252Fb',
    { verb: 'delete', resource: 'pods', name: 'a%2Fb', subresource: '' },
  ],
  ['PUT /api/v1/namespaces/other/configmaps/%C3%A9%20x', { resource: 'configmaps', name: 'é x' }],
  ['POST //api/v1/namespaces/other/pods/', { verb: 'create', resource: 'pods', namespace: 'other', name: '' }],
  ['POST /api/v1//pods', { verb: 'create', resource: '', name: 'pods' }],
  ['%50OST /x', { isResource: false, verb: '%50ost' }],
];

test.each(RESOURCES)('%s', (what, about) => {
  const [method = '', target = ''] = what.split(' ');
  expect(requestInfo(method, target)).toMatchObject(about);
});

test.each([
  '/',
  '/healthz',
  '/api',
  '/api/v1',
  '/apis',
  '/apis/apps',
  '/apis/apps/v1',
  '/metrics',
  '/logs/x/y',
  '/openapi/v3/apis/apps/v1',
  '/API/v1/pods',
  '/api/v1/watch',
])('%s is about no resource', (target) => {
  expect(requestInfo('POST', target)).toMatchObject({ isResource: false, verb: 'post', resource: '', name: '' });
});

test.each(['/api/v1/pods/%', '/api/v1/pods/%zz', '/%ff'])('%s cannot be decoded', (target) => {
  expect(requestInfo('GET', target)).toBeNull();
});

test.each([
  ['GET', '/api/v1/namespaces/a/pods', false, false],
  ['GET', '/api/v1/namespaces/a/pods?watch=true&labelSelector=a%3Dproxy', false, false],
  ['HEAD', '/api/v1/namespaces/a/pods/x', false, false],
  ['OPTIONS', '/api/v1/namespaces/a/pods/x', false, false],
  ['GET', '/version', false, false],
  ['GET', '/api/v1/namespaces/a/pods/exec', false, false],
  ['GET', '/api/v1/namespaces/kube-system/pods/kube-proxy-x/log', false, false],
  ['GET', '/api/v1/namespaces/a/pods/x%20y', false, false],
  ['POST', '/api/v1/namespaces/a/pods', false, true],
  ['PURGE', '/api/v1/namespaces/a/pods', false, true],
  ['DELETE', '/version', false, true],
  ['GET', '/api/v1/namespaces/a/pods/x/log', true, true],
  ['GET', '/api/v1/namespaces/a/pods/x/exec', false, true],
  ['GET', '/api/v1/namespaces/a/pods/x/%65xec', false, true],
  ['GET', '/api/v1/namespaces/a/pods/x%2fexec', false, true],
  ['GET', '/api/v1/namespaces/a/services/web/proxy', false, true],
  ['GET', '/api/v1/namespaces/a/services/web/proxy/x?y', false, true],
  ['GET', '/api/v1/proxy/nodes/n1', false, true],
  ['GET', '/apis/x.example/v1/things/y/proxy', false, true],
  ['GET', '/api/v1/pods/%zz', false, true],
] as const)('%s %s (upgrade: %s) may change something: %s', (method, target, upgrade, expected) => {
  expect(mayChange({ method, target, upgrade })).toBe(expected);
});
