import { OutriderError } from '#schema/errors.ts';
import { HTML } from '#schema/api/endpoint.ts';
import { STYLE } from './style.ts';

/** Text that is HTML already: made by {@link markup} alone. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Good in content and in quoted attributes (HTML, §13.1.2.3 and §13.1.3). */
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

/** HTML with values in it: what is not HTML already is escaped, and nothing is what null becomes. */
export function markup(parts: TemplateStringsArray, ...values: (Html | string | null)[]): Html {
  const filled = values.map((value) => (value instanceof Html ? value.text : escape(value ?? '')));
  return new Html(parts.map((part, at) => part + (filled[at] ?? '')).join(''));
}

/** Several pieces, one after another. */
export const joined = (pieces: readonly Html[]): Html => new Html(pieces.map(({ text }) => text).join('\n'));

let styleHash: string | undefined;

/** CSP Level 3 §6.7.3.1 ff.: by its hash the one style of ours is let in, and no other. */
async function styleSource(): Promise<string> {
  if (styleHash === undefined) {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(STYLE));
    styleHash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  }
  return `'sha256-${styleHash}'`;
}

/** A name that somebody chose: whatever its direction, and whatever marks of direction are in it, the text around it stays as it is (HTML, §4.5.24). */
export const named = (name: string): Html => markup`<bdi>${name}</bdi>`;

/** What went wrong, said to whoever cannot see the page as well. */
export const alert = (text: Html | string): Html => markup`<p class="wrong" role="alert" id="wrong">${text}</p>`;

/** Attributes of the field that is to be filled in anew because of an {@link alert}. */
export const describedBy = (wrong: string | null | undefined): Html | null =>
  wrong === null || wrong === undefined ? null : markup` aria-describedby="wrong" aria-invalid="true"`;

/** What a page is answered with. */
export interface PageOptions {
  readonly status?: number;
  /** An origin that a form's answer leads to, beside our own: browsers hold `form-action` against redirects too. */
  readonly formTarget?: string;
  /** In the place of the title. */
  readonly heading?: Html;
}

/**
 * A page without scripts. Its Referrer-Policy is not the API's `no-referrer`: that would make browsers send `Origin: null` with its forms (Fetch, "append a request `Origin`
 * header"), and our forms are known by their Origin.
 */
export async function page(
  title: string,
  body: Html,
  { status = 200, formTarget, heading }: PageOptions = {},
): Promise<Response> {
  const document = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Outrider</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>Outrider</header>
<main>
<h1>${heading ?? title}</h1>
${body}
</main>
</body>
</html>
`;
  const actions = formTarget === undefined ? "'self'" : `'self' ${formTarget}`;
  return new Response(document.text, {
    status,
    headers: {
      'content-type': HTML,
      'content-security-policy': `default-src 'none'; style-src ${await styleSource()}; form-action ${actions}; frame-ancestors 'none'; base-uri 'none'`,
      'referrer-policy': 'same-origin',
    },
  });
}

/** A refusal that has a page of its own: the form again, with what is wrong. */
export class PageRefusal extends OutriderError {
  readonly page: Response;
  constructor(code: OutriderError['code'], shown: Response) {
    super(code, 'told on the page');
    this.page = shown;
  }
}

/** A refusal on somebody's way to a page of ours: to where they can still go, once they are let in. */
export class RefusedOnTheWay extends OutriderError {
  readonly returnTo: string;
  constructor({ code, message, retryAfter }: OutriderError, returnTo: string) {
    super(code, message, retryAfter === undefined ? {} : { retryAfter });
    this.returnTo = returnTo;
  }
}

/** To another place, by GET (RFC 9110 §15.4.4). Its address is no secret's place. */
export function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, 'referrer-policy': 'same-origin' } });
}
