import type { IncomingMessage } from 'node:http';
import { expect } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Field } from '#schema/protocol/codec/head.ts';
import { startAgentInProcess } from '../../../support/processes/agent.ts';
import { ALICE, type Exchange, type PlaneTunnel } from '../../../support/fakes/plane.ts';
import { FakeWorld, type TestPki } from '../../../support/fakes/world.ts';

/** What is upgraded, and what it asks for. */
export const EXEC = '/api/v1/namespaces/a%2Fb/pods/p/exec?command=sh&command=-c&command=echo%20%27x%27';
export const V5: Field[] = [...ALICE, ['sec-websocket-protocol', 'v5.channel.k8s.io']];

/** A world whose API server takes upgrades. */
export class UpgradeWorld {
  readonly world: FakeWorld;
  readonly tunnel: PlaneTunnel;
  /** WebSockets that the API server accepts. */
  readonly sockets: WebSocketServer;
  /** What the API server chooses among the offered; false: nothing. */
  choose: (offered: Set<string>) => string | false = (offered) => [...offered][0] ?? false;
  readonly #accepted: Promise<{ socket: WebSocket; request: IncomingMessage }>;

  private constructor(world: FakeWorld, tunnel: PlaneTunnel) {
    this.world = world;
    this.tunnel = tunnel;
    this.sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: true,
      handleProtocols: (offered) => this.choose(offered),
    });
    this.#accepted = new Promise((resolve) => {
      world.api.onUpgrade = (request, socket, head) => {
        this.sockets.handleUpgrade(request, socket, head, (webSocket) => resolve({ socket: webSocket, request }));
      };
    });
  }

  static async make(pki: TestPki): Promise<UpgradeWorld> {
    const world = await FakeWorld.make(pki, startAgentInProcess);
    const { tunnel } = await world.connect();
    return new UpgradeWorld(world, tunnel);
  }

  /** An exec that was upgraded, from both ends. */
  async upgraded(
    fields: Field[] = V5,
    consume = true,
  ): Promise<{ exchange: Exchange; socket: WebSocket; request: IncomingMessage }> {
    const exchange = this.tunnel.upgrade({ target: EXEC, fields, consume });
    const { socket, request } = await this.#accepted;
    expect((await exchange.head()).status).toBe(101);
    return { exchange, socket, request };
  }
}
