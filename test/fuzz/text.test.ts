import { expect, test } from 'vitest';
import { decodeClose, encodeClose, isSendableCloseCode } from '#schema/protocol/codec/close.ts';
import { ProtocolError } from '#schema/protocol/codec/codes.ts';
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  type Field,
} from '#schema/protocol/codec/head.ts';
import { Hello } from '#schema/protocol/codec/hello.ts';
import { MAX_CLOSE_REASON_BYTES } from '#schema/protocol/limits.ts';
import { SEED, share } from './play/budget.ts';
import { Dice } from './make/dice.ts';
import { mutate, noise } from './make/mutate.ts';
import { challenge, field, lie, proof, requestHead, responseHead, settled } from './make/words.ts';

/** What is wrong with octets or a value, for a person. */
const where = (i: number, what: unknown): string =>
  `OUTRIDER_FUZZ_SEED=${SEED}, case ${i}: ${what instanceof Uint8Array ? Array.from(what, (octet) => octet.toString(16).padStart(2, '0')).join('') : JSON.stringify(what)}`;

/** Values of plain data, compared often: what went wrong is put into words only once it has. */
function same<T>(value: T, expected: T, tell: () => string): void {
  if (JSON.stringify(value) !== JSON.stringify(expected)) expect.fail(`${JSON.stringify(value)}; ${tell()}`);
}

/** The value, or null where it was refused as the specification says it is. Anything else that is thrown fails the test. */
function orRefused<T>(make: () => T): T | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

// RFC 9110 §5.6.2 and §5.5, once more and apart from `head.ts`.
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const isClean = (text: string, tab: boolean): boolean =>
  Array.from(text).every((c) => (c >= ' ' && c !== '\u007f') || (tab && c === '\t'));

function wrong(fields: readonly Field[]): string | null {
  for (const [name, value] of fields) {
    if (!NAME.test(name)) return `the name ${JSON.stringify(name)}`;
    if (!isClean(value, true)) return `the value ${JSON.stringify(value)}`;
  }
  return null;
}

test('octets that are no head are refused, and what is taken for one is clean and comes back as it was', () => {
  const dice = new Dice(SEED);
  let taken = 0;
  const total = share(0.05);
  for (let i = 0; i < total; i++) {
    const request = dice.chance(0.5);
    const valid = request ? requestHead(dice) : responseHead(dice);
    const octets = dice.chance(0.05)
      ? noise(dice, dice.size(300))
      : mutate(valid.slice(), dice, (dice.chance(0.5) ? requestHead(dice) : responseHead(dice)).slice());
    if (request) {
      const head = orRefused(() => decodeRequestHead(octets));
      if (head === null) continue;
      const { method, target, fields } = head;
      const line =
        /^[A-Z]{1,32}$/.test(method) && target.startsWith('/') && isClean(target, false) && !target.includes(' ');
      if (!line || wrong(fields) !== null) expect.fail(`${wrong(fields) ?? target} was taken; ${where(i, octets)}`);
      same(decodeRequestHead(encodeRequestHead(head)), head, () => where(i, octets));
    } else {
      const head = orRefused(() => decodeResponseHead(octets));
      if (head === null) continue;
      const { status, fields } = head;
      const line = Number.isInteger(status) && status >= 100 && status <= 599;
      if (!line || wrong(fields) !== null) expect.fail(`${wrong(fields) ?? status} was taken; ${where(i, octets)}`);
      same(decodeResponseHead(encodeResponseHead(head)), head, () => where(i, octets));
    }
    taken++;
  }
  // Both ways are tried.
  expect(taken).toBeGreaterThan(total / 100);
  expect(taken).toBeLessThan(total);
});

test('a head of any text is refused, or comes back as it was', () => {
  const dice = new Dice(SEED);
  for (let i = 0; i < share(0.02); i++) {
    const fields = Array.from({ length: dice.below(4) }, (): Field => [field(dice), field(dice)]);
    const request = { method: dice.pick(['GET', 'POST', field(dice)]), target: `/${field(dice)}`, fields };
    const octets = orRefused(() => encodeRequestHead(request));
    if (octets !== null) same(decodeRequestHead(octets), request, () => where(i, request));
    const response = { status: dice.chance(0.9) ? 100 + dice.below(500) : dice.below(2000) / 2, fields };
    const answer = orRefused(() => encodeResponseHead(response));
    if (answer !== null) same(decodeResponseHead(answer), response, () => where(i, response));
  }
});

test('a HELLO that lies is refused, or is within its bounds', () => {
  const dice = new Dice(SEED);
  let taken = 0;
  for (let i = 0; i < share(0.01); i++) {
    const said = lie(dice, dice.pick([challenge, proof, settled])(dice));
    const hello = Hello.safeParse(JSON.parse(JSON.stringify(said)));
    if (!hello.success) continue;
    taken++;
    if (hello.data.step === 'settled') continue;
    const { streamWindow, sessionWindow, maxStreams } = hello.data.limits;
    for (const limit of [streamWindow, sessionWindow, maxStreams]) {
      if (!Number.isSafeInteger(limit) || limit < 1 || limit > 2 ** 28) expect.fail(where(i, said));
    }
  }
  expect(taken).toBeGreaterThan(0);
});

test('the payload of an END is a close that may be passed on, whatever it holds', () => {
  const dice = new Dice(SEED);
  for (let i = 0; i < share(0.02); i++) {
    const payload = noise(dice, dice.below(2 + MAX_CLOSE_REASON_BYTES + 1));
    const close = orRefused(() => decodeClose(payload));
    same(close === null, payload.byteLength === 1, () => where(i, payload));
    if (close === null) continue;
    const again = encodeClose(close);
    if (again.byteLength > 2 + MAX_CLOSE_REASON_BYTES) expect.fail(where(i, payload));
    if (isSendableCloseCode(close.code)) same(decodeClose(again).code, close.code, () => where(i, payload));
  }
});
