import { Agent, fetch } from 'undici';

/** What a browser ends up with. */
export interface Page {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

const MAX_REDIRECTS = 20;

/** A browser without scripts: it keeps each host's cookies, follows redirects and sends forms. */
export class Browser {
  readonly #dispatcher: Agent;
  /** By origin: that is narrower than a browser's, and enough. */
  readonly #cookies = new Map<string, Map<string, string>>();
  readonly visited: string[] = [];

  constructor(certificates: readonly string[]) {
    this.#dispatcher = new Agent({ connect: { ca: [...certificates] } });
  }

  /** Goes somewhere, and on from there as it is told. `stop`: an address at which it stays without asking for it. */
  async open(address: string, form: URLSearchParams | null = null, stop: RegExp | null = null): Promise<Page> {
    let url = address;
    let body = form;
    for (let i = 0; i < MAX_REDIRECTS; i++) {
      if (stop?.test(url) === true) return { url, status: 0, text: '' };
      this.visited.push(url);
      const response = await fetch(url, {
        dispatcher: this.#dispatcher,
        redirect: 'manual',
        method: body === null ? 'GET' : 'POST',
        headers: { cookie: this.#cookieFor(url), accept: 'text/html' },
        ...(body === null ? {} : { body }),
      });
      for (const line of response.headers.getSetCookie()) this.#keep(url, line);
      const location = response.headers.get('location');
      const text = await response.text();
      if (response.status < 300 || response.status > 399 || location === null)
        return { url, status: response.status, text };
      url = new URL(location, url).href;
      body = null;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  }

  /** Sends the form of a page with what the person types. */
  async submit(page: Page, typed: Record<string, string> = {}, stop: RegExp | null = null): Promise<Page> {
    const [, action = ''] = /<form[^>]* action="([^"]+)"/.exec(page.text) ?? [];
    if (action === '') throw new Error(`there is no form at ${page.url}: ${page.text.slice(0, 500)}`);
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = new URLSearchParams(hidden.map(([, name = '', value = '']): [string, string] => [name, value]));
    for (const [name, value] of Object.entries(typed)) form.set(name, value);
    return await this.open(new URL(action.replaceAll('&amp;', '&'), page.url).href, form, stop);
  }

  /** The value of a cookie that a host has set; undefined: none. */
  cookie(origin: string, name: string): string | undefined {
    return this.#cookies.get(new URL(origin).origin)?.get(name);
  }

  #cookieFor(url: string): string {
    return [...(this.#cookies.get(new URL(url).origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  #keep(url: string, line: string): void {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === '' || /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
    else jar.set(name, value);
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}
