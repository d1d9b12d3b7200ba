import { exports } from 'cloudflare:workers';
import { ORIGIN } from './agent.ts';
import type { World } from './world.ts';

/** A line of Prometheus' text format 0.0.4 that is no comment: name, labels, value. */
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)$/;

/** What a scraper reads: each series, as `name{labels}`, with its value. Throws for text that is not in the format. */
function parseExposition(text: string): Map<string, number> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const found = new Map<string, number>();
  const types = new Set<string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE (\S+) (?:counter|gauge|histogram)$/.exec(line)?.[1];
    if (type !== undefined) {
      if (types.has(type)) throw new Error(`${type} is declared twice`);
      types.add(type);
    }
    if (line.startsWith('# ')) continue;
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (name === '' || !Number.isFinite(Number(value))) throw new Error(`not a sample: ${line}`);
    if (!types.has(name) && !types.has(name.replace(/_(bucket|sum|count)$/, ''))) throw new Error(`no type: ${line}`);
    const series = `${name}{${labels}}`;
    if (found.has(series)) throw new Error(`twice: ${series}`);
    found.set(series, Number(value));
  }
  return found;
}

/** The plane's metrics of a cluster, without prefix and the label of the cluster; `{…}` only where there are other labels. */
export async function scrape(world: World, token = world.token): Promise<Map<string, number>> {
  const response = await exports.default.fetch(`${ORIGIN}/v1/clusters/${world.id}/metrics`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  if (response.headers.get('content-type') !== 'text/plain; version=0.0.4; charset=utf-8')
    throw new Error('media type');
  const own = `cluster="${world.id}"`;
  return new Map(
    [...parseExposition(text)].map(([series, value]) => {
      if (!series.includes(own)) throw new Error(`not of the cluster: ${series}`);
      return [series.replace('outrider_cluster_', '').replace(`{${own}}`, '').replace(`${own},`, ''), value];
    }),
  );
}
