import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { makeAuthority, makeServerCertificate } from '#scripts/local/tls/issue.ts';

/** What the server does differently from what the RFCs say, or when. */
export interface Manner {
  /** Answers to polls of the device grant before the token; an error code each, or `503`. */
  polls: string[];
  /** Answers with `error` at the redirect. */
  deny: boolean;
  /** Replaces parts of what comes back. */
  redirect: Readonly<Record<string, string>>;
  device: Readonly<Record<string, unknown>>;
  /** Has none of these endpoints. */
  absent: boolean;
}

/** A plane's sign-in for the CLI as the RFCs have it: 6749 §4.1, 7636, 8252, 8628, 9207. It keeps what it saw. */
export interface OAuthServer {
  readonly url: string;
  readonly caPem: string;
  readonly manner: Manner;
  readonly seen: { path: string; fields: Record<string, string> }[];
  stop(): Promise<void>;
}

const TOKEN = 'the-access-token';

export async function startOAuthServer(): Promise<OAuthServer> {
  const authority = await makeAuthority('test');
  const { certificate, key } = await makeServerCertificate(authority, ['127.0.0.1']);
  const manner: Manner = { polls: [], deny: false, redirect: {}, device: {}, absent: false };
  const seen: OAuthServer['seen'] = [];
  const codes = new Map<string, { challenge: string; redirectUri: string }>();
  let url = '';

  const routes: Record<string, (fields: Record<string, string>, response: ServerResponse) => void> = {
    'GET /v1/auth/cli/authorize': (fields, response) => {
      const redirectUri = fields['redirect_uri'] ?? '';
      const isGood =
        fields['client_id'] === 'outrider-cli' &&
        fields['response_type'] === 'code' &&
        fields['code_challenge_method'] === 'S256' &&
        /^[\w-]{43}$/.test(fields['code_challenge'] ?? '') &&
        /^http:\/\/127\.0\.0\.1:\d+\/callback$/.test(redirectUri);
      if (!isGood) return json(response, 400, { error: 'invalid_request' });
      const code = randomBytes(16).toString('hex');
      codes.set(code, { challenge: fields['code_challenge'] ?? '', redirectUri });
      const answer = manner.deny ? { error: 'access_denied' } : { code };
      const query = new URLSearchParams({ ...answer, state: fields['state'] ?? '', iss: url, ...manner.redirect });
      response.writeHead(302, { location: `${redirectUri}?${query.toString()}` }).end();
    },
    'POST /v1/auth/cli/token': (fields, response) => {
      const issued = codes.get(fields['code'] ?? '');
      codes.delete(fields['code'] ?? '');
      const challenge = createHash('sha256')
        .update(fields['code_verifier'] ?? '')
        .digest('base64url');
      const isGood =
        fields['grant_type'] === 'authorization_code' &&
        fields['client_id'] === 'outrider-cli' &&
        issued?.challenge === challenge &&
        issued.redirectUri === fields['redirect_uri'];
      if (!isGood) return json(response, 400, { error: 'invalid_grant', error_description: 'no such\u001b[2J code' });
      json(response, 200, { access_token: TOKEN, token_type: 'Bearer', expires_in: 3600 });
    },
    'POST /v1/auth/device/code': (_, response) => {
      json(response, 200, {
        device_code: 'the-device-code',
        user_code: 'WDJB-MJHT',
        verification_uri: `${url}/device`,
        verification_uri_complete: `${url}/device?user_code=WDJB-MJHT`,
        expires_in: 900,
        interval: 1,
        ...manner.device,
      });
    },
    'POST /v1/auth/device/token': (fields, response) => {
      const isGood =
        fields['grant_type'] === 'urn:ietf:params:oauth:grant-type:device_code' &&
        fields['device_code'] === 'the-device-code' &&
        fields['client_id'] === 'outrider-cli';
      const error = isGood ? manner.polls.shift() : 'invalid_grant';
      if (error === '503') return json(response, 503, {});
      if (error !== undefined) return json(response, 400, { error });
      json(response, 200, { access_token: TOKEN, token_type: 'Bearer', expires_in: 3600 });
    },
  };

  const server = createServer({ cert: certificate, key }, (incoming, response) => {
    void handle(incoming, response);
  });
  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? '', url);
    const body = await text(incoming);
    const isForm = incoming.headers['content-type'] === 'application/x-www-form-urlencoded';
    const fields = Object.fromEntries(isForm ? new URLSearchParams(body) : searchParams);
    seen.push({ path: pathname, fields });
    if (pathname === '/v1/me' && incoming.headers.authorization === `Bearer ${TOKEN}`) return json(response, 200, ME);
    const route = manner.absent ? undefined : routes[`${incoming.method} ${pathname}`];
    if (route === undefined) return json(response, 404, {});
    route(fields, response);
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  url = `https://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  return {
    url,
    caPem: authority.certificate,
    manner,
    seen,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const ME = {
  user: {
    id: 'u-aaaaaaaaaa',
    username: 'ann',
    administrator: false,
    enabled: true,
    passwordPending: false,
    createdAt: '2026-01-01T00:00:00.000Z',
  },
  token: { id: 't-aaaaaaaaaa', expiresAt: '2099-01-01T00:00:00.000Z', cluster: null, readOnly: false },
};
