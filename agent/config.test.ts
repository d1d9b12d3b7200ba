import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

/** What a pod of the import manifest has. */
const POD = {
  OUTRIDER_SERVER: 'https://plane.example:8443',
  OUTRIDER_CA_FILE: '/var/run/outrider/config/ca.crt',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT: '443',
};

describe('in a pod', () => {
  it('needs the server and finds the rest', () => {
    expect(readConfig([], POD)).toMatchObject({
      server: 'https://plane.example:8443',
      namespace: 'outrider-system',
      apiServer: 'https://10.96.0.1:443',
      apiServerCaFile: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
      apiServerTokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
      registrationTokenFile: '/var/run/outrider/registration/token',
      statusPort: 8081,
      proxy: { exceptions: '' },
    });
  });

  it('writes an IPv6 address as URLs want it', () => {
    expect(readConfig([], { ...POD, KUBERNETES_SERVICE_HOST: 'fd00::1' }).apiServer).toBe('https://[fd00::1]:443');
  });

  it('reads the proxy in either case', () => {
    const upper = { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '10.0.0.0/8' };
    const lower = { https_proxy: 'http://proxy:3128', no_proxy: '10.0.0.0/8' };
    const proxy = { url: 'http://proxy:3128', exceptions: '10.0.0.0/8' };
    expect(readConfig([], { ...POD, ...upper }).proxy).toEqual(proxy);
    expect(readConfig([], { ...POD, ...lower }).proxy).toEqual(proxy);
  });
});

it('prefers a flag to its variable', () => {
  expect(readConfig(['--server', 'https://other.example'], POD).server).toBe('https://other.example');
});

describe('refuses, and names the setting', () => {
  it.each([
    ['no server', { OUTRIDER_SERVER: undefined }, 'OUTRIDER_SERVER (--server) is not set'],
    ['an empty server', { OUTRIDER_SERVER: ' ' }, 'OUTRIDER_SERVER (--server) is not set'],
    ['http', { OUTRIDER_SERVER: 'http://plane.example' }, 'OUTRIDER_SERVER (--server): must be an https:// URL'],
    ['a password in the URL', { OUTRIDER_SERVER: 'https://u:p@plane.example' }, 'nothing more'],
    ['a path', { OUTRIDER_SERVER: 'https://plane.example/path' }, 'nothing more'],
    ['no API server', { KUBERNETES_SERVICE_HOST: undefined }, 'OUTRIDER_API_SERVER (--api-server) is not set'],
    ['a bad port', { OUTRIDER_STATUS_PORT: '70000' }, 'OUTRIDER_STATUS_PORT'],
    ['a bad namespace', { OUTRIDER_NAMESPACE: 'a/b' }, 'OUTRIDER_NAMESPACE'],
    ['a bad proxy', { HTTPS_PROXY: 'socks5://proxy' }, 'HTTPS_PROXY'],
  ])('%s', (_case, change, message) => {
    const read = (): unknown => readConfig([], { ...POD, ...change });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });

  it('an unknown flag', () => {
    expect(() => readConfig(['--sever', 'x'], POD)).toThrow('--sever');
  });

  it('without repeating a value: a proxy has a password', () => {
    const read = (): unknown => readConfig([], { ...POD, HTTPS_PROXY: 'ftp://u:hunter2@proxy' });
    expect(read).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }));
  });
});
