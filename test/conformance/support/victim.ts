import { ProtocolCode, type ProtocolError } from '#schema/protocol/codec/codes.ts';
import { decodeFrames } from '#schema/protocol/codec/decode.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { Session } from '#schema/protocol/session.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { frames, LIMITS, utf8 } from './link.ts';
import { Owner } from './owner.ts';

export type FrameArguments = Parameters<typeof frames>[number];

/**
 * One honest end with a scripted peer: three streams are open, 1 (answered, on the plane), 3 (answered and then ended by the peer) and 5
 * (nothing came yet). Sequence 7 was opened and is done.
 */
export class Victim {
  readonly session: Session;
  readonly owners: Owner[] = [];
  readonly errors: ProtocolError[] = [];

  readonly role: SessionRole;
  #sequence = 7;
  goaways = 0;
  #ended = false;

  constructor(role: SessionRole, settled = true, now?: () => number) {
    this.role = role;
    this.session = new Session({
      role,
      local: LIMITS,
      ...(now === undefined ? {} : { now }),
      handler: {
        onOpen: (stream) => {
          const owner = new Owner(0, false);
          owner.stream = stream;
          stream.handler = owner;
          this.owners.push(owner);
        },
        onHello: () => undefined,
        onGoaway: () => {
          this.goaways++;
          this.#ended = true;
        },
        onPending: () => undefined,
        onError: (error) => {
          this.#ended = true;
          this.errors.push(error);
        },
      },
    });
    if (!settled) return;
    this.session.settle(LIMITS);
    if (role === 'plane') this.#asPlane();
    else this.#asAgent();
    this.drain();
  }

  #asPlane(): void {
    for (let i = 0; i < 4; i++) this.#ask();
    this.drain();
    this.receive([FrameType.HEAD, 0, 0, 1, utf8('200')], [FrameType.HEAD, Flag.FIN, 0, 3, utf8('200')]);
    this.owners[3]?.stream?.reset(ProtocolCode.CANCELLED, '');
  }

  #asAgent(): void {
    this.receive(
      [FrameType.OPEN, 0, 0, 1, utf8('\u0001GET /')],
      [FrameType.OPEN, Flag.FIN, 0, 3, utf8('\u0001GET /')],
      [FrameType.OPEN, 0, 0, 5, utf8('\u0001GET /')],
      [FrameType.OPEN, 0, 0, 7, utf8('\u0001GET /')],
      [FrameType.RESET, 0, 0, 7, Uint8Array.of(0, 1)],
    );
  }

  /** More streams, open and answered: their sequences. */
  open(count: number): number[] {
    const opened = Array.from({ length: count }, (_, i) => 9 + 2 * i);
    for (const sequence of opened) {
      if (this.role === 'plane') this.#ask();
      else this.receive([FrameType.OPEN, 0, 0, sequence, utf8('\u0001GET /')]);
    }
    this.drain();
    if (this.role === 'plane')
      this.receive(...opened.map((n): FrameArguments => [FrameType.HEAD, 0, 0, n, utf8('200')]));
    return opened;
  }

  #ask(): void {
    const owner = new Owner(0, false);
    owner.stream = this.session.open(1, utf8('GET /'), false, owner);
    this.owners.push(owner);
  }

  /** A sequence for an OPEN. */
  nextSequence(): number {
    this.#sequence += 2;
    return this.#sequence;
  }

  /** Something that an honest owner or adapter does. */
  act(dice: () => number): void {
    const owner = this.owners[Math.floor(dice() * this.owners.length)];
    const acts = [
      () => owner?.consume(1 + Math.floor(dice() * owner.held)),
      () => owner?.stream?.write(new Uint8Array(Math.floor(dice() * 5000))),
      () => dice() < 0.2 && owner?.stream?.end(),
      () => dice() < 0.2 && owner?.stream?.reset(ProtocolCode.CANCELLED, ''),
      () => this.drain(),
      () => this.role === 'plane' && this.session.openStreams < 20 && !this.#ended && this.#ask(),
    ];
    acts[Math.floor(dice() * acts.length)]?.();
  }

  receive(...list: FrameArguments[]): void {
    this.session.receive(frames(...list));
  }

  /** Everything that it sends now, as [type, sequence]. */
  drain(): [type: number, sequence: number][] {
    const sent: [number, number][] = [];
    for (let message = this.session.pull(); message !== null; message = this.session.pull()) {
      decodeFrames(message, (frame) => sent.push([frame.type, frame.sequence]));
    }
    return sent;
  }

  /** Octets received and neither consumed nor given up. */
  get held(): number {
    return this.owners.reduce((sum, owner) => sum + (owner.stream?.receiveWindow.held ?? 0), 0);
  }
}

export const DATA = (sequence: number, size: number, flags = 0): FrameArguments => [
  FrameType.DATA,
  flags,
  0,
  sequence,
  new Uint8Array(size),
];

const FIXED_SIZE: Record<number, number> = { [FrameType.ACCEPT]: 0, [FrameType.WINDOW]: 4, [FrameType.END]: 0 };

/** A message of `count` frames, nearly all of them such as an honest peer may send; a few are not, or have an octet changed, or no end. */
export function noise(victim: Victim, dice: () => number): { message: Uint8Array<ArrayBuffer>; count: number } {
  const below = (n: number) => Math.floor(dice() * n);
  const count = dice() < 0.9 ? 1 : 2 + below(4);
  const list = Array.from({ length: count }, (): FrameArguments => {
    const live = victim.owners.filter(
      (owner) => owner.stream?.done === false && owner.stream.opened && !owner.stream.remoteEnded,
    );
    const stream = live[below(live.length)]?.stream;
    let type: number = stream === null || stream === undefined ? FrameType.WINDOW : usualType(victim, stream, dice);
    if (dice() < 0.01) type = below(256);
    const session = [FrameType.HELLO, FrameType.GOAWAY, FrameType.STATE].some((t) => t === type);
    let sequence = session ? 0 : (stream?.sequence ?? 0);
    if (type === FrameType.OPEN) sequence = victim.nextSequence();
    if (dice() < 0.01) sequence = below(20);
    const payload = new Uint8Array(FIXED_SIZE[type] ?? 3 + below(2000)).map((_, at) => (at < 8 ? below(256) : 0x2e));
    if (type === FrameType.OPEN) payload[0] = 1 + below(5);
    if (type === FrameType.WINDOW) payload[0] = 0;
    return [type, dice() < 0.95 ? 0 : below(8), dice() < 0.98 ? 0 : 1, sequence, payload];
  });
  const message = frames(...list);
  if (dice() < 0.01) message[below(message.length)] = below(256);
  return { message: message.slice(0, dice() < 0.005 ? below(message.length) : message.length), count };
}

/** A type that the peer of `victim` may send on `stream` as far as it has come. */
function usualType({ role }: Victim, stream: Stream, dice: () => number): FrameType {
  const at = dice();
  if (at < 0.05) return FrameType.RESET;
  if (at < 0.2) return FrameType.WINDOW;
  if (role === 'agent' && at < 0.35) return FrameType.OPEN;
  if (role === 'plane' && !stream.headSeen) return at < 0.3 && !stream.accepted ? FrameType.ACCEPT : FrameType.HEAD;
  return at < 0.4 ? FrameType.END : FrameType.DATA;
}
