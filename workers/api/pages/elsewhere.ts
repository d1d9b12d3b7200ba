import { signsInByPassword } from '../../authn/providers/types.ts';
import { listProviders } from '../../store/providers/providers.ts';
import type { Deps } from '../handler.ts';
import { joined, markup, named, type Html } from './html.ts';

/** An address that leads to a sign-in, and from there back. */
export function leading(path: string, returnTo: string | null, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...more, ...(returnTo === null ? {} : { returnTo }) }).toString();
  return query === '' ? path : `${path}?${query}`;
}

/** Where else one can sign in; null: nowhere. */
export async function linksElsewhere({ db }: Pick<Deps, 'db'>, returnTo: string | null): Promise<Html | null> {
  const links = (await listProviders(db))
    .filter(({ enabled }) => enabled)
    .map(
      ({ id, displayName, settings }) =>
        markup`<li><a href="${
          signsInByPassword(settings.type)
            ? leading('/login', returnTo, { provider: id })
            : leading(`/v1/auth/providers/${id}/start`, returnTo)
        }">Sign in with ${named(displayName)}</a></li>`,
    );
  return links.length === 0 ? null : markup`<nav aria-label="Other ways to sign in"><ul>${joined(links)}</ul></nav>`;
}

/** From a provider's form to where all ways in are. */
export const linkHome = (returnTo: string | null): Html =>
  markup`<nav><a href="${leading('/login', returnTo)}">Other ways to sign in</a></nav>`;
