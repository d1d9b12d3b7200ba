import { describe, expect, test } from 'vitest';
import { readOptions } from './options.ts';
import { Problem } from '../lib/problem.ts';

const read = (...arguments_: string[]) => readOptions(arguments_, { project: '/checkout', cwd: '/home/ada' });

describe('options', () => {
  test('without any, where to listen is left to what is started, and state is kept in the checkout', () => {
    expect(read()).toEqual({
      host: undefined,
      port: 8443,
      dataDir: '/checkout/.outrider',
      url: undefined,
      sans: [],
      certificate: undefined,
      reach: [],
      trustFile: undefined,
      audit: { level: undefined, days: undefined, rows: undefined },
      agentImage: undefined,
      demo: false,
      json: false,
      help: false,
    });
  });

  test('relative paths are relative to where the person is', () => {
    expect(read('--data-dir', 'state').dataDir).toBe('/home/ada/state');
    expect(read('--cert=../a.pem', '--key=/b.pem').certificate).toEqual({
      certificateFile: '/home/a.pem',
      keyFile: '/b.pem',
    });
  });

  test('a URL is reduced to its origin', () => {
    expect(read('--url', 'https://Plane.Example:443/').url).toBe('https://plane.example');
    expect(read('--url', 'https://[::1]:9443').url).toBe('https://[::1]:9443');
  });

  test('names may be repeated, an IPv6 address with or without its brackets', () => {
    expect(read('--san', '[fd00::1]', '--san', 'fd00::2', '--san', '*.example.com').sans).toEqual([
      'fd00::1',
      'fd00::2',
      '*.example.com',
    ]);
  });

  test('settings of the audit log are those that the Worker takes', () => {
    expect(read('--audit-level', 'Request', '--audit-days=7', '--audit-rows=100').audit).toEqual({
      level: 'Request',
      days: 7,
      rows: 100,
    });
  });

  test('an address that may be reached is a network of one', () => {
    expect(read('--reach', '10.0.0.0/8', '--reach', '192.0.2.7', '--reach', '[fd00::1]').reach).toEqual([
      '10.0.0.0/8',
      '192.0.2.7/32',
      'fd00::1/128',
    ]);
  });

  test.each([
    [['--reach', 'id.example.com'], 'IP address'],
    [['--reach', '10.0.0.0/33'], 'IP address'],
    [['--reach', '10.0.0.0/8/8'], 'IP address'],
    [['--reach', 'private'], 'IP address'],
    [['--trust', 'a.pem', '--trust', 'b.pem'], 'twice'],
    [['--audit-level', 'request'], 'None, Metadata, Request'],
    [['--audit-days', '0'], 'from 1 to 3650'],
    [['--audit-rows', '99'], 'from 100 to 1000000'],
    [['--port', '65536'], 'from 0 to 65535'],
    [['--port', '1e3'], 'from 0 to 65535'],
    [['--port', ''], 'from 0 to 65535'],
    [['--port', '1', '--port', '2'], 'twice'],
    [['--host', '*.example.com'], 'one host'],
    [['--host', ''], 'host name'],
    [['--url', 'http://plane.example'], 'https://'],
    [['--url', 'https://plane.example/path'], 'no path'],
    [['--url', 'https://user:secret@plane.example'], 'user name'],
    [['--san', 'a b'], 'host name'],
    [['--cert', 'a.pem'], 'go together'],
    [['--cert', 'a.pem', '--key', 'b.pem', '--san', 'c'], 'leave it out'],
    [['--agent-image', "a'\nb"], 'image reference'],
    [['--data-dir', ''], 'needs a value'],
    [['--json=yes'], 'does not take an argument'],
    [['--nonsense'], 'Unknown option'],
    [['stray'], 'Unexpected argument'],
  ])('%j is refused in one line, as a wrong call', (arguments_, reason) => {
    const problem = catchProblem(() => read(...arguments_));
    expect(problem.message).toContain(reason);
    expect(problem.message).toContain('--help');
    expect(problem.exitCode).toBe(2);
  });

  test('a password in a URL is not repeated', () => {
    expect(catchProblem(() => read('--url', 'https://user:secret@plane.example')).message).not.toContain('secret');
  });
});

function catchProblem(action: () => unknown): Problem {
  try {
    action();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
