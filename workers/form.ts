import { OutriderError } from '#schema/errors.ts';

/** What a form sent. @throws OutriderError bad_request: it is none */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    throw new OutriderError('bad_request', 'the body must be application/x-www-form-urlencoded');
  }
  // Not text(): the runtime warns about forms, which are no text/* to it.
  return new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()));
}

/** Parameters by name, none of them twice: two readers would not take the same one. @throws OutriderError bad_request */
export function byName(parameters: URLSearchParams): Record<string, string> {
  const fields = [...parameters];
  if (new Set(fields.map(([name]) => name)).size < fields.length) {
    throw new OutriderError('bad_request', 'a parameter is given more than once');
  }
  return Object.fromEntries(fields);
}
