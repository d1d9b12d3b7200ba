import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { PROJECT } from '#scripts/lib/project.ts';
import type { Plane } from '#scripts/local/plane.ts';
import { setUpAdministrator } from '#scripts/local/setup.ts';
import { PlaneApi } from '../../support/api.ts';
import { startChromium, visit, type Visitor } from '../../support/browser/chromium.ts';
import { startGitHub } from '../../support/github/server.ts';
import type { Scratch } from '../../support/processes/local.ts';
import { startOidc } from '../../support/sign-in/oidc-server.ts';
import { makeTls, type Tls } from '../../support/sign-in/tls.ts';

export const press = async (page: Page, name: string): Promise<void> =>
  await page.getByRole('button', { name }).click();

/**
 * Chromium at a real plane with two providers. The plane is https://127.0.0.1, the providers are https://localhost: another site to a browser, so that SameSite counts as it does
 * between two companies.
 */
export class Stage {
  readonly plane: Plane;
  readonly tls: Tls;
  /** Of `admin`, good for one use. */
  readonly firstPassword: string;
  readonly #scratch: Scratch;
  readonly #chromium: Browser;
  readonly #providers: { readonly oidc: string; readonly gitHub: string };

  private constructor(
    scratch: Scratch,
    parts: {
      plane: Plane;
      tls: Tls;
      firstPassword: string;
      chromium: Browser;
      providers: { oidc: string; gitHub: string };
    },
  ) {
    this.#scratch = scratch;
    this.plane = parts.plane;
    this.tls = parts.tls;
    this.firstPassword = parts.firstPassword;
    this.#chromium = parts.chromium;
    this.#providers = parts.providers;
  }

  static async start(scratch: Scratch): Promise<Stage> {
    const tls = await makeTls();
    const trustFile = join(await scratch.folder(), 'company.pem');
    await writeFile(trustFile, tls.caPem);
    const plane = await scratch.plane({ project: PROJECT, reach: ['127.0.0.1/32'], trustFile });
    const chromium = await startChromium(await scratch.folder(), [plane.caPem, tls.caPem]);
    scratch.defer(async () => await chromium.close());
    const callback = (id: string): string => `${plane.url}/v1/auth/providers/${id}/callback`;
    const oidc = await startOidc(tls, () => callback('oidc'));
    scratch.defer(async () => await oidc.close());
    oidc.people.set('ada', { preferred_username: 'ada', name: 'Ada Lovelace', groups: ['staff'] });
    const app = { clientId: 'Iv1.plane', clientSecret: 'github-app-secret', callbackUrl: callback('github') };
    const gitHub = await startGitHub(tls, app);
    scratch.defer(async () => await gitHub.close());
    gitHub.gitHub.addAccount('octocat', { orgs: ['acme'] });
    gitHub.gitHub.signedInAs = 'octocat';
    gitHub.gitHub.asks = true;
    const { id, password } = await setUpAdministrator(plane);
    const api = new PlaneApi(plane, await plane.mint(id));
    const add = async (provider: string, displayName: string, config: object): Promise<void> => {
      await api.text('POST', '/v1/auth/providers', { metadata: { name: provider }, spec: { displayName, config } });
      await api.text('POST', `/v1/auth/providers/${provider}/test`);
      await api.text('POST', `/v1/auth/providers/${provider}/enable`);
    };
    const { clientId, clientSecret } = oidc;
    await add('oidc', 'Company', { type: 'oidc', issuer: oidc.url, clientId, clientSecret, scopes: ['profile'] });
    const hostname = new URL(gitHub.url).host;
    await add('github', 'GitHub', { ...app, type: 'github', hostname, callbackUrl: undefined });
    await api.close();
    const providers = { oidc: oidc.url, gitHub: gitHub.url };
    return new Stage(scratch, { plane, tls, firstPassword: password ?? '', chromium, providers });
  }

  /** Somebody with a browser of their own; `scripts` as {@link visit} has it. */
  async visitor(options: { scripts?: boolean } = {}): Promise<Visitor> {
    const one = await visit(this.#chromium, this.plane.url, options);
    this.#scratch.defer(async () => await one.context.close());
    return one;
  }

  /** Follows the sign-in page's link, and does as a person does at the OpenID provider: name and password, then whether the plane may know. */
  async signInWithOidc({ page }: Pick<Visitor, 'page'>): Promise<void> {
    await page.getByRole('link', { name: 'Sign in with Company' }).click();
    await page.waitForURL(`${this.#providers.oidc}/**`);
    await page.fill('input[name=login]', 'ada');
    await page.fill('input[name=password]', 'any');
    await page.click('button[type=submit]');
    await page.getByText('Authorize').first().waitFor();
    await page.click('button[type=submit]');
    await page.waitForURL(`${this.plane.url}/**`);
  }

  /** The same at GitHub, where the person is signed in and is asked whether the plane may know. */
  async signInWithGitHub({ page }: Pick<Visitor, 'page'>): Promise<void> {
    await page.getByRole('link', { name: 'Sign in with GitHub' }).click();
    await page.waitForURL(`${this.#providers.gitHub}/**`);
    await press(page, 'Authorize Outrider');
    await page.waitForURL(`${this.plane.url}/**`);
  }
}
