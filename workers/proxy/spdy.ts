import { statusResponse } from '../status.ts';

/** Subresources that older kubectl opens by a SPDY POST. */
const SESSION_PATH = /\/(exec|attach|portforward)(\?|$)/;

/** What the API server says to a POST of these without an upgrade (`apimachinery/pkg/util/proxy/upgradeaware.go`). */
const UPGRADE_REQUIRED = 'Upgrade request required';

/** Longer than any Status of that answer. */
const MAX_STATUS_BYTES = 16 * 1024;

const SPDY_MESSAGE =
  'this cluster is reached through WebSockets, and the client asked for SPDY: use kubectl 1.31 or later (1.29 and 1.30 with KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true, KUBECTL_PORT_FORWARD_WEBSOCKETS=true)';

/** Whether a request is the SPDY way into a session, which a Worker cannot upgrade (it answers 101 to WebSockets only). */
export function isSpdySession(method: string, target: string): boolean {
  return method === 'POST' && SESSION_PATH.test(target);
}

/**
 * The answer to a SPDY session that was forwarded without its upgrade: real refusals (403, 404) pass as they are; only the API server's own "upgrade required" becomes
 * advice. kubectl sends this POST after any failed WebSocket handshake, so a fixed answer would hide the refusal.
 */
export async function answerSpdy(response: Response, requestId: string): Promise<Response> {
  if (response.status !== 400 || response.body === null) return response;
  const [looked, passed] = response.body.tee();
  const start = await readStart(looked);
  if (!start.includes(UPGRADE_REQUIRED)) return new Response(passed, response);
  await passed.cancel();
  return statusResponse('websocket_required', SPDY_MESSAGE, requestId);
}

/** The first octets of a body as text: the cluster may send without end. */
async function readStart(body: ReadableStream<unknown>): Promise<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  let bytes = 0;
  while (bytes < MAX_STATUS_BYTES) {
    const { done, value } = await reader.read();
    if (done || !(value instanceof Uint8Array)) return text;
    bytes += value.byteLength;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text;
}
