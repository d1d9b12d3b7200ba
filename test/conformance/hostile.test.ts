import { describe, expect, test } from 'vitest';

import { codeName, ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { decodeCode, decodeFrames } from '#schema/protocol/codec/decode.ts';
import { encodeCredit } from '#schema/protocol/codec/encode.ts';
import { Flag, FrameType } from '#schema/protocol/codec/frame.ts';
import { FRAME_RATE } from '#schema/protocol/limits.ts';
import type { SessionRole } from '#schema/protocol/handler.ts';
import { frames, LIMITS, random, utf8 } from './support/link.ts';
import { DATA, noise, Victim, type FrameArguments } from './support/victim.ts';

/** Below a MiB, whatever the frame. */
const FRAMES_A_MESSAGE = 50_000;

/** What either end may be sent that ends its session, and the code it must say. */
const BREACHES: Record<
  'either' | SessionRole,
  [what: string, list: FrameArguments[], code: keyof typeof ProtocolCode][]
> = {
  either: [
    ['an unknown critical frame', [[0x42, 0, 0, 1]], 'UNKNOWN_FRAME'],
    ['a payload outside the bounds of its type', [[FrameType.WINDOW, 0, 0, 1, new Uint8Array(5)]], 'PROTOCOL_ERROR'],
    ['END of one octet', [[FrameType.END, 0, 0, 1, new Uint8Array(1)]], 'PROTOCOL_ERROR'],
    ['DATA of the session', [DATA(0, 1)], 'PROTOCOL_ERROR'],
    ['HELLO after it was settled', [[FrameType.HELLO, 0, 0, 0, utf8('{}')]], 'PROTOCOL_ERROR'],
    ['a frame for a stream that was never opened', [[FrameType.RESET, 0, 0, 9, Uint8Array.of(0, 1)]], 'PROTOCOL_ERROR'],
    ['a frame for an even sequence', [[FrameType.RESET, 0, 0, 2, Uint8Array.of(0, 1)]], 'PROTOCOL_ERROR'],
    ['DATA for the highest sequence', [DATA(0xffff_ffff, 1)], 'PROTOCOL_ERROR'],
    ['DATA after FIN', [DATA(3, 1)], 'PROTOCOL_ERROR'],
    ['END after FIN', [[FrameType.END, 0, 0, 3]], 'PROTOCOL_ERROR'],
    ['DATA after its own FIN', [DATA(1, 1, Flag.FIN), DATA(1, 1)], 'PROTOCOL_ERROR'],
    ['WINDOW of nothing for a stream', [[FrameType.WINDOW, 0, 0, 1, encodeCredit(0)]], 'PROTOCOL_ERROR'],
    ['WINDOW of nothing for the session', [[FrameType.WINDOW, 0, 0, 0, encodeCredit(0)]], 'PROTOCOL_ERROR'],
    ['credit past 2^31 - 1 for a stream', [[FrameType.WINDOW, 0, 0, 1, encodeCredit(0x7fff_ffff)]], 'FLOW_CONTROL'],
    ['credit past 2^31 - 1 for the session', [[FrameType.WINDOW, 0, 0, 0, encodeCredit(0xffff_ffff)]], 'FLOW_CONTROL'],
    ['DATA past the window of a stream', [DATA(1, 65_536), DATA(1, 1)], 'FLOW_CONTROL'],
  ],
  plane: [
    ['OPEN', [[FrameType.OPEN, 0, 0, 9, utf8('\u0001GET /')]], 'PROTOCOL_ERROR'],
    ['OPEN in another incarnation', [[FrameType.OPEN, 0, 77, 9, utf8('\u0001GET /')]], 'PROTOCOL_ERROR'],
    ['a second HEAD', [[FrameType.HEAD, 0, 0, 1, utf8('200')]], 'PROTOCOL_ERROR'],
    ['DATA before HEAD', [DATA(5, 1)], 'PROTOCOL_ERROR'],
    ['END before HEAD', [[FrameType.END, 0, 0, 5]], 'PROTOCOL_ERROR'],
    ['ACCEPT after HEAD', [[FrameType.ACCEPT, 0, 0, 1]], 'PROTOCOL_ERROR'],
    [
      'ACCEPT twice',
      [
        [FrameType.ACCEPT, 0, 0, 5],
        [FrameType.ACCEPT, 0, 0, 5],
      ],
      'PROTOCOL_ERROR',
    ],
  ],
  agent: [
    ['HEAD', [[FrameType.HEAD, 0, 0, 1, utf8('200')]], 'PROTOCOL_ERROR'],
    ['ACCEPT', [[FrameType.ACCEPT, 0, 0, 1]], 'PROTOCOL_ERROR'],
    ['OPEN of an even sequence', [[FrameType.OPEN, 0, 0, 10, utf8('\u0001GET /')]], 'PROTOCOL_ERROR'],
    ['OPEN of a sequence that is open', [[FrameType.OPEN, 0, 0, 1, utf8('\u0001GET /')]], 'PROTOCOL_ERROR'],
    ['OPEN of a sequence that is done', [[FrameType.OPEN, 0, 0, 7, utf8('\u0001GET /')]], 'PROTOCOL_ERROR'],
    [
      'OPEN of a sequence that was jumped over',
      [
        [FrameType.OPEN, 0, 0, 21, utf8('\u0001GET /')],
        [FrameType.OPEN, 0, 0, 11, utf8('\u0001GET /')],
      ],
      'PROTOCOL_ERROR',
    ],
  ],
};

describe.each(['plane', 'agent'] as const)('a hostile peer of the %s', (role) => {
  test.each([...BREACHES.either, ...BREACHES[role]])('%s ends the session', (_what, list, code) => {
    const victim = new Victim(role);
    const open = victim.owners.filter((owner) => owner.stream?.done === false);
    victim.receive(...list);
    expect(victim.errors.map((error) => codeName(error.code))).toEqual([code]);
    // Every stream hears it exactly once, whatever else still comes.
    victim.receive(...list);
    victim.session.close('the socket was closed');
    expect(open).toHaveLength(3);
    for (const owner of open) {
      expect(owner.heard.filter((heard) => heard.startsWith('reset'))).toEqual([`reset ${ProtocolCode.TUNNEL_LOST}`]);
    }
    // One frame is left to send: why.
    const goodbye = victim.session.pull();
    const said: string[] = [];
    decodeFrames(goodbye ?? new Uint8Array(0), (frame) => {
      said.push(`${frame.type} ${codeName(decodeCode(frame.payload).code)}`);
    });
    expect([said, victim.session.pull(), victim.session.openStreams]).toEqual([
      [`${FrameType.GOAWAY} ${code}`],
      null,
      0,
    ]);
  });

  test('an answer to a request that was not sent yet ends the session', () => {
    if (role === 'agent') return;
    const victim = new Victim(role);
    victim.act(() => 0.99);
    victim.receive([FrameType.HEAD, 0, 0, 9, utf8('200')]);
    expect(victim.errors.map((error) => codeName(error.code))).toEqual(['PROTOCOL_ERROR']);
  });

  test('DATA past the window of the session ends it, though each stream keeps within its own', () => {
    const victim = new Victim(role);
    const fresh = victim.open(4);
    victim.receive(...fresh.slice(0, 3).map((sequence) => DATA(sequence, 65_536)), DATA(1, 65_536));
    expect([victim.errors, victim.held]).toEqual([[], LIMITS.sessionWindow]);
    victim.receive(DATA(fresh[3] ?? 0, 1));
    expect(victim.errors.map((error) => codeName(error.code))).toEqual(['FLOW_CONTROL']);
  });

  test('DATA for a stream that is done is dropped, and its credit given back', () => {
    const victim = new Victim(role);
    for (let i = 0; i < 20; i++) victim.receive(DATA(7, 65_536));
    expect([victim.errors, victim.held]).toEqual([[], 0]);
    expect(victim.drain()).toContainEqual([FrameType.WINDOW, 0]);
  });

  test.each([
    ['an empty message', new Uint8Array(0), 'PROTOCOL_ERROR'],
    ['half a header', new Uint8Array(7), 'PROTOCOL_ERROR'],
    ['a length of four gibibytes', Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255), 'PROTOCOL_ERROR'],
    ['a message of more than 1 MiB', new Uint8Array(1024 * 1024 + 1), 'LIMIT'],
  ] as const)('%s ends the session', (_what, message, code) => {
    const victim = new Victim(role);
    victim.session.receive(message);
    expect(victim.errors.map((error) => codeName(error.code))).toEqual([code]);
  });

  test('a stream frame before HELLO is settled ends the session; optional frames are skipped', () => {
    const victim = new Victim(role, false);
    victim.receive([FrameType.STATE, 0, 0, 0, utf8('{}')], [0xee, 0, 0, 9]);
    expect(victim.errors).toEqual([]);
    victim.receive([FrameType.WINDOW, 0, 0, 0, encodeCredit(1)]);
    expect(victim.errors.map((error) => codeName(error.code))).toEqual(['PROTOCOL_ERROR']);
  });

  test('what comes in a message behind the end of the session is not heard', () => {
    const victim = new Victim(role);
    const [first] = victim.owners;
    const goaway: FrameArguments = [FrameType.GOAWAY, 0, 0, 0, Uint8Array.of(0, 16)];
    victim.receive(DATA(1, 10), goaway, DATA(1, 10), goaway, [FrameType.HEAD, 0, 0, 2, utf8('200')]);
    expect([first?.received, victim.goaways, victim.errors]).toEqual([10, 1, []]);
    expect(first?.heard.at(-1)).toBe(`reset ${ProtocolCode.TUNNEL_LOST}`);
  });

  // Tried with frames that are not counted: the session goes on.
  test.each([
    ['of optional types', [FrameType.STATE, 0, 0, 0]],
    ['that give credit', [FrameType.WINDOW, 0, 0, 0, encodeCredit(1)]],
    ['of no content', DATA(1, 0)],
    ['for streams that are done', [FrameType.RESET, 0, 0, 7, Uint8Array.of(0, 1)]],
  ] as [string, FrameArguments][])(
    'a flood of frames %s ends the session; at a pace they do no harm',
    (_what, frame) => {
      const many = frames(...Array.from({ length: FRAMES_A_MESSAGE }, () => frame));
      let now = 0;
      const paced = new Victim(role, true, () => now);
      for (let sent = 0; sent < 2 * FRAME_RATE.burst; sent += FRAMES_A_MESSAGE) {
        now += (1000 * FRAMES_A_MESSAGE) / FRAME_RATE.perSecond;
        paced.session.receive(many);
        paced.drain();
      }
      expect(paced.errors).toEqual([]);
      const flooded = new Victim(role, true, () => 0);
      let sent = 0;
      for (; flooded.errors.length === 0 && sent < 2 * FRAME_RATE.burst; sent += FRAMES_A_MESSAGE) {
        flooded.session.receive(many);
      }
      expect(flooded.errors.map((error) => codeName(error.code))).toEqual(['LIMIT']);
      expect(sent).toBeLessThanOrEqual(FRAME_RATE.burst + FRAMES_A_MESSAGE);
    },
  );

  test('optional frames, unknown flags and frames of another incarnation harm nothing', () => {
    const victim = new Victim(role);
    victim.receive(
      [FrameType.STATE, 0, 0, 0, utf8('{}')],
      [0xff, 0xff, 0, 99, new Uint8Array(1000)],
      DATA(1, 10, 0xf8),
      [FrameType.DATA, 0, 1, 99, new Uint8Array(65_536)],
      [FrameType.RESET, 0, 1, 1, Uint8Array.of(0, 1)],
      [FrameType.WINDOW, 0, 1, 0, encodeCredit(0)],
    );
    expect([victim.errors, victim.owners[0]?.received]).toEqual([[], 10]);
  });

  test('codes and reasons from a newer peer are passed on as they are', () => {
    const victim = new Victim(role);
    victim.receive([FrameType.RESET, 0, 0, 1, Uint8Array.of(0xff, 0xfe, 0xc3, 0x28)]);
    expect([victim.owners[0]?.heard.at(-1), victim.owners[0]?.reason]).toEqual(['reset 65534', '\u{fffd}(']);
  });
});

/** What went wrong with one victim, if anything. */
function faults(victim: Victim): string[] {
  const found: string[] = [];
  if (victim.held > LIMITS.sessionWindow) found.push(`${victim.held} octets held`);
  if (victim.session.openStreams > LIMITS.maxStreams) found.push(`${victim.session.openStreams} streams open`);
  if (victim.errors.length > 1) found.push('ended twice');
  if (victim.errors[0]?.code === ProtocolCode.INTERNAL) found.push('an exception of its own');
  for (const { heard } of victim.owners) {
    const resets = heard.filter((verb) => verb.startsWith('reset'));
    if (resets.length > 1 || (resets.length === 1 && heard.at(-1) !== resets[0])) found.push(`heard ${heard.join()}`);
  }
  return found;
}

test.each(['plane', 'agent'] as const)('100,000 random and mutated frames do no %s any harm', (role) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const dice = random(seed);
  const ends = new Map<string, number>();
  let victim = new Victim(role);
  let sent = 0;
  const check = () => {
    const found = faults(victim);
    if (found.length > 0) expect.fail(`seed ${seed}, after ${sent} frames: ${found.join('; ')}`);
  };
  while (sent < 100_000) {
    const { message, count } = noise(victim, dice);
    sent += count;
    victim.session.receive(message);
    victim.act(dice);
    check();
    const [error] = victim.errors;
    if (error === undefined && dice() < 0.98) continue;
    victim.session.close('next');
    check();
    const end = error === undefined ? 'none' : codeName(error.code);
    ends.set(end, (ends.get(end) ?? 0) + 1);
    victim = new Victim(role);
  }
  // It is noise of many kinds, not one breach over and over.
  expect([...ends.keys()]).toEqual(expect.arrayContaining(['none', 'PROTOCOL_ERROR', 'UNKNOWN_FRAME']));
});
