import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EARLY_ANSWER_BYTES, EARLY_ANSWER_MS, MAX_EARLY_ANSWERS } from '../limits.ts';
import { Content } from './content.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A client that sends when the test says so. */
class Client {
  readonly #writer: ReadableByteStreamController;
  readonly content: Content;
  cancelled = false;
  /** Octets that were asked for, and given at once. */
  given = 0;

  /** @param endless it has something to send whenever it is asked */
  constructor({ endless = false } = {}) {
    let writer: ReadableByteStreamController | undefined;
    const body = new ReadableStream({
      type: 'bytes',
      start: (controller) => void (writer = controller),
      pull: (controller) => {
        if (!endless) return;
        this.given += 1024 * 1024;
        controller.enqueue(new Uint8Array(1024 * 1024));
      },
      cancel: () => void (this.cancelled = true),
    });
    if (writer === undefined) throw new Error('a stream starts when it is made');
    this.#writer = writer;
    this.content = new Content(body);
  }

  send(octets: number): void {
    this.#writer.enqueue(new Uint8Array(octets));
  }

  end(): void {
    this.#writer.close();
    this.#writer.byobRequest?.respond(0);
  }

  leave(): void {
    this.#writer.error(new Error('the client went away'));
  }
}

/** Whether it settles without any time going by. */
async function atOnce(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await vi.advanceTimersByTimeAsync(0);
  return settled;
}

test('an error waits for the rest of its request, which is not cancelled', async () => {
  const client = new Client();
  const answered = client.content.answered(413);
  client.send(1000);
  expect(await atOnce(answered)).toBe(false);
  client.end();
  expect([await atOnce(answered), client.cancelled]).toEqual([true, false]);
});

test('any other answer goes out at once: its client may be waiting for it; and what nobody reads is cancelled', async () => {
  const client = new Client();
  expect([await atOnce(client.content.answered(200)), client.cancelled]).toEqual([true, true]);
});

test('whoever sends the content on goes on after such an answer, and it is cancelled when they leave', async () => {
  const client = new Client();
  const sending = Promise.withResolvers<void>();
  const sent = client.content.sentBy(async () => await sending.promise);
  expect([await atOnce(client.content.answered(200)), client.cancelled]).toEqual([true, false]);
  sending.resolve();
  expect([await atOnce(sent), client.cancelled]).toEqual([true, true]);
});

test('an error waits for whoever sends the content on, and reads what they leave', async () => {
  const client = new Client();
  const sending = Promise.withResolvers<void>();
  void client.content.sentBy(async () => await sending.promise);
  const answered = client.content.answered(413);
  client.send(1000);
  client.end();
  expect(await atOnce(answered)).toBe(false);
  sending.resolve();
  expect([await atOnce(answered), client.cancelled]).toEqual([true, false]);
});

test('where all has been read there is nothing to wait for', async () => {
  const client = new Client();
  client.end();
  expect(await client.content.read()).toBeNull();
  expect(await atOnce(client.content.answered(413))).toBe(true);
});

test('no more is thrown away than the bound', async () => {
  const client = new Client({ endless: true });
  expect([await atOnce(client.content.answered(413)), client.cancelled]).toEqual([true, true]);
  expect(client.given).toBe(EARLY_ANSWER_BYTES);
});

test.each([false, true])(
  'no answer waits longer than the bound, somebody sending its request on: %s',
  async (sends) => {
    const client = new Client();
    const sending = Promise.withResolvers<void>();
    if (sends) void client.content.sentBy(async () => await sending.promise);
    const answered = client.content.answered(413);
    await vi.advanceTimersByTimeAsync(EARLY_ANSWER_MS - 1);
    expect(await atOnce(answered)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect([await atOnce(answered), client.cancelled]).toEqual([true, !sends]);
    sending.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.cancelled).toBe(true);
  },
);

test('nothing waits for a client that has gone', async () => {
  const client = new Client();
  const answered = client.content.answered(413);
  client.leave();
  expect(await atOnce(answered)).toBe(true);
});

test('no more answers than there is room for wait at once, and places become free again', async () => {
  const clients = Array.from({ length: MAX_EARLY_ANSWERS }, () => new Client());
  const answers = clients.map(async ({ content }) => await content.answered(413));
  expect(await atOnce(new Client().content.answered(413))).toBe(true);
  for (const client of clients) client.leave();
  await Promise.all(answers);
  const next = new Client();
  const answered = next.content.answered(413);
  expect(await atOnce(answered)).toBe(false);
  next.leave();
  await answered;
});

// Tried with a count that each gives back: no answer ever waited again.
test('places of requests that were ended without a word become free again', async () => {
  const clients = Array.from({ length: MAX_EARLY_ANSWERS }, () => new Client());
  const answers = clients.map(async ({ content }) => await content.answered(413));
  expect(await atOnce(new Client().content.answered(413))).toBe(true);
  // Nothing of theirs runs: neither their timers nor what follows them.
  vi.setSystemTime(Date.now() + EARLY_ANSWER_MS);
  const next = new Client();
  const answered = next.content.answered(413);
  expect(await atOnce(answered)).toBe(false);
  for (const client of [next, ...clients]) client.leave();
  await Promise.all([answered, ...answers]);
});
