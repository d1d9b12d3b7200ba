import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import type { Identity } from './plane.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const NAMESPACE_PATH = '/api/v1/namespaces/outrider-system';

/**
 * As much of an API server as an agent's own calls need (TokenRequest, its Secret, the UID of kube-system, the version), over real TLS; everything
 * else is the test's.
 */
export class FakeApiServer {
  /** Requests other than the agent's own, as raw header fields. */
  readonly seen: { method: string; url: string; raw: string[] }[] = [];
  readonly sockets = new Set<Socket>();
  secret: { resourceVersion: number; data: Record<string, string> } = { resourceVersion: 1, data: {} };
  /** Called before a Secret is replaced; lets a test be faster. */
  beforeReplace: () => void = () => undefined;
  tokensIssued = 0;
  tokenSeconds = 3600;
  onRequest: Answer = (_request, response) => response.end('ok');
  onUpgrade: Upgrade = (_request, socket) => socket.destroy();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('secureConnection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#note(request);
      this.onUpgrade(request, socket, head);
    });
    server.on('request', (request, response) => {
      void this.#own(request, response).then((own) => {
        if (own) return;
        this.#note(request);
        this.onRequest(request, response);
      });
    });
  }

  static async start(identity: Identity, port = 0): Promise<FakeApiServer> {
    // Idle connections are the agent's to close, except where a test closes them.
    const server = createServer({ ...identity, keepAliveTimeout: 0 });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new FakeApiServer(server);
  }

  get port(): number {
    const at = this.#server.address();
    if (at === null || typeof at === 'string') throw new Error('not listening');
    return at.port;
  }
  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #note(request: IncomingMessage): void {
    this.seen.push({ method: request.method ?? '', url: request.url ?? '', raw: request.rawHeaders });
  }

  async #own(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const send = (status: number, body: unknown): true => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return true;
    };
    const bearer = request.headers.authorization;
    const { method, url = '' } = request;
    const account = /\/serviceaccounts\/([^/]+)\/token$/.exec(url)?.[1];
    if (method === 'POST' && account !== undefined) {
      if (bearer !== 'Bearer bootstrap-token') return send(401, { kind: 'Status', message: 'Unauthorized' });
      this.tokensIssued++;
      const expirationTimestamp = new Date(Date.now() + this.tokenSeconds * 1000).toISOString();
      return send(201, { status: { token: `${account}-token-${this.tokensIssued}`, expirationTimestamp } });
    }
    if (!bearer?.startsWith('Bearer outrider-manager-token-')) return false;
    const { resourceVersion, data } = this.secret;
    const metadata = { name: 'outrider-agent', namespace: 'outrider-system', resourceVersion: String(resourceVersion) };
    if (url === '/version' || url === '/version/') return send(200, { gitVersion: 'v1.34.2' });
    if (url === '/api/v1/namespaces/kube-system') {
      return send(200, { metadata: { name: 'kube-system', uid: '11111111-2222-4333-8444-555555555555' } });
    }
    if (url !== `${NAMESPACE_PATH}/secrets/outrider-agent`) return send(403, { kind: 'Status', message: 'forbidden' });
    if (method === 'GET') return send(200, { metadata, data });
    const wanted = (await json(request)) as { metadata: { resourceVersion: string }; data: Record<string, string> };
    this.beforeReplace();
    if (wanted.metadata.resourceVersion !== String(this.secret.resourceVersion)) {
      return send(409, { kind: 'Status', message: 'the object has been modified' });
    }
    this.secret = { resourceVersion: this.secret.resourceVersion + 1, data: wanted.data };
    return send(200, {
      metadata: { ...metadata, resourceVersion: String(this.secret.resourceVersion) },
      data: wanted.data,
    });
  }
}
