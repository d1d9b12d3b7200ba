import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { setUp } from '#scripts/local/setup.ts';
import { PROJECT } from '#scripts/lib/project.ts';
import { Scratch, reach } from '../../support/processes/local.ts';

const scratch = new Scratch();
afterEach(async () => scratch.clear());

const signIn = async (plane: { url: string; caPem: string }, body: Record<string, string>) =>
  reach(plane, '/v1/auth/local', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('the first steps on a new plane', () => {
  test('give one administrator a password for one use, and one cluster a command that imports it', async () => {
    const dataDir = await scratch.folder();
    const plane = await scratch.plane({ project: PROJECT, dataDir });
    const steps = await setUp(plane);
    expect(steps.importCommand).toContain(`${plane.url}/import/`);
    expect(await setUp(plane)).toMatchObject({ administrator: steps.administrator });

    const { username, password } = steps.administrator;
    const first = { username, password: z.string().parse(password) };
    expect((await signIn(plane, first)).status).toBe(403);
    const chosen = { username, password: 'a password of my own' };
    const changed = await signIn(plane, { ...first, newPassword: chosen.password });
    expect(changed.status).toBe(200);

    await plane.kill();
    await plane.restart();
    // Tokens count in seconds: for the rest of this one, the change of password refuses what the supervisor signs for its person.
    await vi.waitFor(async () => {
      expect((await setUp(plane)).administrator).toEqual({ ...steps.administrator, password: null });
    }, 5_000);
    expect((await signIn(plane, first)).status).toBe(401);
    const { token } = z.object({ token: z.string() }).parse(await (await signIn(plane, chosen)).json());
    const answer = await reach(plane, '/v1/clusters', { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toMatchObject({ items: [{ metadata: { name: 'first' } }] });
  });

  test('a first password whose file was removed is not made up', async () => {
    const plane = await scratch.plane({ project: PROJECT });
    await setUp(plane);
    await rm(plane.dataDir.firstPasswordFile);
    expect((await setUp(plane)).administrator.password).toBeNull();
  });

  test('a plane that other machines dial hands its CA along with the import command', async () => {
    const plane = await scratch.plane({ project: PROJECT, url: 'https://plane.example' });
    const { importCommand } = await setUp(plane);
    expect(importCommand).toContain('https://plane.example/import/');
    expect(importCommand).toContain('-----BEGIN CERTIFICATE-----');
  });
});
