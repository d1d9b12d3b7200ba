import { OutriderError } from '#schema/errors.ts';

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

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto; padding: 0 1rem; }
  header { opacity: .7; }
  h1 { font-size: 1.4rem; margin-top: .3rem; }
  nav { border-top: 1px solid #8886; margin-top: 1.6rem; padding-top: .4rem; }
  label { display: block; margin: .8rem 0; }
  input { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; margin-top: .2rem; }
  button { font: inherit; padding: .5rem 1.2rem; margin: .8rem .5rem 0 0; }
  dt { float: left; clear: left; width: 7rem; opacity: .7; }
  dd { margin: 0 0 .3rem 7rem; overflow-wrap: anywhere; }
  .code { font: 1.6rem ui-monospace, monospace; letter-spacing: .1em; }
  .wrong { border-left: .3rem solid #c33; padding-left: .7rem; }
`;

let styleHash: string | undefined;

/** CSP Level 3 §6.7.3.1 ff.: by its hash the one style of ours is let in, and no other. */
async function styleSource(): Promise<string> {
  if (styleHash === undefined) {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(STYLE));
    styleHash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  }
  return `'sha256-${styleHash}'`;
}

/** What a page is answered with. */
export interface PageOptions {
  readonly status?: number;
  /** An origin that a form's answer leads to, beside our own: browsers hold `form-action` against redirects too. */
  readonly formTarget?: string;
}

/**
 * A page without scripts. Its Referrer-Policy is not the API's `no-referrer`: that would make browsers send `Origin: null` with its forms (Fetch, "append a request `Origin`
 * header"), and our forms are known by their Origin.
 */
export async function page(
  title: string,
  body: Html,
  { status = 200, formTarget }: PageOptions = {},
): Promise<Response> {
  const document = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} · Outrider</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>Outrider</header>
<h1>${title}</h1>
${body}
</body>
</html>
`;
  const actions = formTarget === undefined ? "'self'" : `'self' ${formTarget}`;
  return new Response(document.text, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
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

/** To another place, by GET (RFC 9110 §15.4.4). Its address is no secret's place. */
export function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, 'referrer-policy': 'same-origin' } });
}
