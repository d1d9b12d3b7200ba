import { expect } from 'vitest';

import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { Link, text, utf8, type LinkOptions } from './link.ts';

/** The octet of a body at a place: what is lost, doubled or out of order is seen. */
function octetAt(salt: number, at: number): number {
  return (salt * 7 + at * 31 + (at >>> 8)) & 0xff;
}

/** `size` octets of body from `at` on. */
export function body(salt: number, at: number, size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => octetAt(salt, at + i));
}

/** The owner of one end of a stream: notes what it hears, and checks that the body it gets is the one of `salt`. */
export class Owner implements StreamHandler {
  readonly salt: number;
  stream: Stream | null = null;
  /** What was heard, in order; DATA is counted below. */
  readonly heard: string[] = [];
  received = 0;
  /** Received and not yet consumed. */
  held = 0;
  intact = true;
  writable = 0;
  reason = '';
  /** Consume as it comes. */
  eager: boolean;
  /** On the agent: runs when the OPEN has arrived. */
  onOpened?: () => void;
  #left = 0;
  #written = 0;
  #chunk = 1;
  #sends = 0;

  constructor(salt: number, eager = true) {
    this.salt = salt;
    this.eager = eager;
  }

  onAccept(): void {
    this.heard.push('accept');
  }

  onHead(head: Uint8Array): void {
    this.heard.push(`head ${text(head)}`);
  }

  onData(data: Uint8Array): void {
    for (let i = 0; i < data.byteLength; i++) {
      if (data[i] !== octetAt(this.salt, this.received + i)) this.intact = false;
    }
    this.received += data.byteLength;
    this.held += data.byteLength;
    if (this.eager) this.consume(this.held);
  }

  onEnd(payload: Uint8Array): void {
    this.heard.push(payload.byteLength === 0 ? 'end' : `end of ${payload.byteLength}`);
  }

  onReset(code: number, reason: string): void {
    this.heard.push(`reset ${code}`);
    this.reason = reason;
  }

  onWritable(): void {
    this.writable++;
    this.#pump();
  }

  consume(bytes: number): void {
    const taken = Math.min(bytes, this.held);
    this.held -= taken;
    this.stream?.consumed(taken);
  }

  /** Writes `total` octets of the body that the peer's owner expects in pieces of `chunk`, waiting when it is told to, then ends its half. */
  send(total: number, chunk: number, salt: number): void {
    this.#sends = salt;
    this.#left = total;
    this.#chunk = chunk;
    this.#pump();
  }

  #pump(): void {
    const { stream } = this;
    if (stream === null || stream.done) return;
    while (this.#left > 0) {
      const size = Math.min(this.#chunk, this.#left);
      this.#left -= size;
      this.#written += size;
      if (!stream.write(body(this.#sends, this.#written - size, size)) && this.#left > 0) return;
    }
    stream.end();
  }
}

/** A link whose agent gives every stream an owner, found by the request's head. */
export class World {
  readonly link: Link;
  readonly agents = new Map<string, Owner>();
  #opened = 0;

  constructor(options: LinkOptions = {}) {
    this.link = new Link({
      ...options,
      onOpen: (stream, head) => {
        const owner = this.agents.get(text(head)) ?? new Owner(0);
        this.agents.set(text(head), owner);
        owner.stream = stream;
        stream.handler = owner;
        owner.onOpened?.();
      },
    });
  }

  /** Opens a stream with an owner at either end; `agent` gets it when the OPEN arrives. */
  open(plane = new Owner(1), agent = new Owner(2), fin = false): { plane: Owner; agent: Owner } {
    const head = `GET /${this.#opened++}`;
    this.agents.set(head, agent);
    plane.stream = this.link.plane.session.open(StreamKind.HTTP, utf8(head), fin, plane);
    return { plane, agent };
  }
}

/** The windows are whole: each way fresh streams carry what the session's window allows before anything is consumed. */
export function expectWholeCredit(world: World): void {
  const { plane, agent } = world.link;
  expect([plane.session.openStreams, agent.session.openStreams]).toEqual([0, 0]);
  for (const end of [plane, agent]) {
    const { streamWindow, sessionWindow } = world.link.limits[end.role];
    const count = Math.min(64, Math.ceil(sessionWindow / streamWindow));
    const whole = Math.min(sessionWindow, count * streamWindow);
    const opened = Array.from({ length: count }, () => world.open(new Owner(1, false), new Owner(1, false)));
    world.link.run();
    for (const pair of opened) {
      const sender = end === plane ? pair.agent : pair.plane;
      if (end === plane) sender.stream?.head(utf8('200'));
      sender.stream?.write(body(1, 0, streamWindow));
    }
    world.link.run();
    const received = opened.reduce((sum, pair) => sum + (end === plane ? pair.plane : pair.agent).received, 0);
    // Up to a quarter of a window may be consumed and not reported yet.
    expect(received).toBeLessThanOrEqual(whole);
    expect(received).toBeGreaterThan(whole - Math.max(1, Math.floor(sessionWindow / 4)));
    for (const pair of opened) pair.plane.stream?.reset(ProtocolCode.CANCELLED, '');
    world.link.run();
    expect([plane.session.openStreams, agent.session.openStreams]).toEqual([0, 0]);
  }
}
