import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Plane } from '#scripts/local/plane.ts';
import { type Cli, startSignedIn } from '../../support/processes/cli.ts';
import { Scratch } from '../../support/processes/local.ts';
import { run } from '../../support/processes/program.ts';
import { Terminal } from '../../support/processes/terminal.ts';

/** The shells themselves complete, by the key that a person presses; zsh and fish where they are installed. */
const scratch = new Scratch();
let plane: Plane;
let cli: Cli;

beforeAll(async () => {
  ({ plane, admin: cli } = await startSignedIn(scratch));
  await cli.ok(['clusters', 'import', 'completed']);
  await cli.ok(['groups', 'create', 'operators']);
  await writeFile(join(cli.home, 'a-kubeconfig'), '');
});
afterAll(async () => scratch.clear());

const isInstalled = (shell: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, shell)));

const INTERACTIVE = {
  bash: { argv: ['bash', '--norc', '--noprofile', '-i'], setUp: 'PS1=; source <(outrider completion bash)' },
  zsh: {
    argv: ['zsh', '-f', '-i'],
    // Without bracketed paste and the mark of an unfinished line, which would stand in what is read back.
    setUp:
      'PS1=; unset zle_bracketed_paste; unsetopt prompt_sp; autoload -U compinit && compinit -u -D; source <(outrider completion zsh)',
  },
} as const;

/** A shell in a terminal, at its prompt. */
async function startShell(shell: keyof typeof INTERACTIVE): Promise<Terminal> {
  const { argv, setUp } = INTERACTIVE[shell];
  const env = { ...cli.env, TERM: 'dumb' };
  const terminal = new Terminal(argv, { env, cwd: cli.home, dir: cli.home, rows: 24, columns: 200 });
  terminal.type(`${setUp}; echo re""ady\r`);
  await terminal.printed(/^ready\r?$/m);
  return terminal;
}

/** Types a line and Tab. @returns what then stands in the line, without the space that zsh takes back */
async function pressTab(terminal: Terminal, line: string): Promise<string> {
  const before = terminal.stdout.length;
  // The line is made the argument of an echo: Ctrl-A goes to its beginning, Ctrl-E to its end.
  terminal.type(`${line}\t\u0001echo '[[' '\u0005' ']]'\r`);
  const [, found = ''] = await terminal.printed(/^\[\[ (.*) \]\]\r?$/m, before);
  return found.trimEnd();
}

/** What fish offers for a line, asked as its own Tab asks. */
async function fishOffers(line: string): Promise<string[]> {
  const script = 'outrider completion fish | source; complete --do-complete $argv[1]';
  const { stdout } = await run(['fish', '--no-config', '-c', script, line], { env: cli.env, cwd: cli.home });
  return stdout
    .split('\n')
    .map((one) => one.split('\t')[0] ?? '')
    .filter((one) => one !== '');
}

const LINES: readonly (readonly [line: string, completed: string])[] = [
  ['outrider clu', 'clusters'],
  ['outrider groups mem', 'members'],
  ['outrider help kubeconfig pr', 'print'],
  ['outrider clusters list --ser', '--server'],
  ['outrider clusters list -o ya', 'yaml'],
  ['outrider clusters get com', 'completed'],
  ['outrider tokens create --cluster com', 'completed'],
  ['outrider groups members add ope', 'operators'],
  ['outrider clusters grant completed re', 'read-only'],
  ['outrider clusters revoke completed --group ope', 'operators'],
  ['outrider groups members add operators adm', 'admin'],
  // Of a file no more than the shell itself knows.
  ['outrider kubeconfig rm x --kubeconfig a-ku', 'a-kubeconfig'],
];

/** Why a shell's tests are not run; bash is on every machine that runs these. */
const lack = (shell: string): string => (shell === 'bash' || isInstalled(shell) ? '' : ` (${shell} is not installed)`);

describe.each(['bash', 'zsh'] as const)('%s', (shell) => {
  describe.skipIf(lack(shell) !== '')(`at its prompt${lack(shell)}`, () => {
    let terminal: Terminal;
    beforeAll(async () => void (terminal = await startShell(shell)));
    afterAll(async () => terminal.end('SIGKILL'));

    test.each(LINES)('completes "%s" to %s', async (line, completed) => {
      expect(await pressTab(terminal, line)).toBe([...line.split(' ').slice(0, -1), completed].join(' '));
    });

    test('completes the address of a server, which has colons in it', async () => {
      expect(await pressTab(terminal, 'outrider servers use https://127')).toBe(`outrider servers use ${plane.url}`);
    });
  });
});

describe.skipIf(lack('fish') !== '')(`fish${lack('fish')}`, () => {
  test.each(LINES)('completes "%s" to %s', async (line, completed) => {
    expect(await fishOffers(line)).toEqual([completed]);
  });

  test('completes the address of a server, which has colons in it', async () => {
    expect(await fishOffers('outrider servers use https://127')).toEqual([plane.url]);
  });
});

describe('what is offered', () => {
  const offered = async (...words: string[]): Promise<string[]> =>
    (await cli.ok(['__complete', '--', ...words])).split('\n').slice(0, -1);

  test('is every command of a group, and no hidden one', async () => {
    expect(await offered('')).not.toContain('__complete');
    expect(await offered('kubeconfig', '')).toEqual(['add', 'help', 'print', 'rm']);
  });

  test('is what was known last where the plane is gone, and nothing after that is forgotten', async () => {
    expect(await offered('clusters', 'get', '')).toEqual(['completed']);
    await plane.stop(true);
    // Tried without the memory: nothing.
    expect(await offered('clusters', 'get', '')).toEqual(['completed']);
    await cli.run(['logout']);
    expect(await offered('clusters', 'get', '')).toEqual([]);
  });
});
