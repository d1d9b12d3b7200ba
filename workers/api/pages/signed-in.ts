import { ClusterKind } from '#schema/resources/kinds/clusters.ts';
import { readList } from '#schema/resources/list.ts';
import { listClusters } from '../../store/kinds/clusters.ts';
import { listPrincipals } from '../../store/providers/principals.ts';
import type { Deps, KnownCaller } from '../handler.ts';
import { joined, markup, named, page, type Html } from './html.ts';

/** A glance; the CLI lists them all. */
const SHOWN = 20;

/** `GET /login` for whoever is signed in: who they are, what they can do next, and out. */
export async function signedInPage(deps: Deps, caller: KnownCaller): Promise<Response> {
  const { username } = caller.facts;
  const { publicUrl, publicCa } = deps.config;
  const principals = await listPrincipals(deps.db, caller.principal.user);
  const name = principals.find(({ displayName }) => displayName !== '')?.displayName ?? '';
  const body = markup`
    <p>You are signed in as <b>${named(username)}</b>${name === '' || name === username ? null : markup` (${named(name)})`}.</p>
    ${await clustersOf(deps, caller)}
    <h2>From a terminal</h2>
    <pre><code>outrider login --server ${publicUrl}${publicCa === null ? null : ' --ca-file ca.crt'}
outrider clusters list
outrider kubeconfig add --all --use</code></pre>
    ${publicCa === null ? null : markup`<p>ca.crt is the plane’s own certificate authority; whoever runs the plane has it.</p>`}
    <p>A program that asks for a code: <a href="/device">sign a device in</a>.</p>
    <form method="post" action="/logout"><button>Sign out</button></form>`;
  return await page('Signed in', body);
}

async function clustersOf({ db }: Deps, { principal, facts }: KnownCaller): Promise<Html> {
  const request = readList(ClusterKind.listing, { limit: SHOWN, sort: 'name' });
  const { items, next } = await listClusters(db, facts.administrator ? null : principal.user, request);
  const rows = items.map(
    ({ name, status }) =>
      markup`<li>${named(name)}${status.connectedAt === null ? ' (its agent has never connected)' : null}</li>`,
  );
  return markup`<h2>Your clusters</h2>
    ${rows.length === 0 ? none(facts) : markup`<ul>${joined(rows)}</ul>`}
    ${next === null ? null : markup`<p>These are the first ${String(SHOWN)}.</p>`}`;
}

/** Nothing is there, or nothing that they may see: who can change that. */
const none = ({ permissions }: KnownCaller['facts']): Html =>
  permissions.has('clusters.create')
    ? markup`<p>There is none yet. <code>outrider clusters import &lt;name&gt;</code> prints the command that connects one.</p>`
    : markup`<p>You have a role in none yet. An owner of a cluster, or an administrator, can give you one.</p>`;
