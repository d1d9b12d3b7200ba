import { beforeEach, expect, it } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { AGENT_LIMITS } from '#schema/protocol/limits.ts';
import { Budget, Messages } from './messages.ts';

const PART = new Uint8Array(AGENT_LIMITS.streamWindow / 4);

let consumed: number;
let budget: Budget;
let messages: Messages;
beforeEach(() => {
  consumed = 0;
  budget = new Budget();
  messages = new Messages(budget, (bytes) => {
    consumed += bytes;
  });
});

it('gives a message of one part as it is, and its credit when it has left', () => {
  const data = Buffer.from('one');
  const whole = messages.push(data, true);
  expect(whole?.message).toBe(data);
  expect(consumed).toBe(0);
  whole?.done();
  expect(consumed).toBe(3);
});

it('puts parts together, empty ones among them', () => {
  expect(messages.push(Buffer.from('a'), false)).toBeNull();
  expect(messages.push(Buffer.alloc(0), false)).toBeNull();
  const whole = messages.push(Buffer.from('b'), true);
  expect(Buffer.from(whole!.message).toString()).toBe('ab');
  expect(messages.push(Buffer.alloc(0), true)?.message).toHaveLength(0);
});

it('lends credit to parts while nothing waits: many streams in the middle of a message would else hold the session for ever', () => {
  messages.push(PART, false);
  expect(consumed).toBe(PART.length);
  const whole = messages.push(PART, true);
  expect(consumed).toBe(PART.length);
  whole?.done();
  expect(consumed).toBe(2 * PART.length);
  expect(budget.taken).toBe(0);
});

it('lends none while a message waits for the API server: one that does not read would be drowned', () => {
  const unsent = Array.from({ length: 10 }, () => {
    messages.push(PART, false);
    return messages.push(PART, true);
  });
  expect(consumed).toBe(PART.length);
  for (const whole of unsent) whole?.done();
  expect(consumed).toBe(20 * PART.length);
  expect(budget.taken).toBe(0);
});

it('lends credit to a message larger than the window, so that its end can come', () => {
  const size = 3 * AGENT_LIMITS.streamWindow;
  let came = 0;
  for (; came < size; came += PART.length) {
    // A sender that goes by its window.
    expect(came - consumed).toBeLessThan(AGENT_LIMITS.streamWindow);
    messages.push(PART, false);
  }
  expect(budget.taken).toBe(consumed);
  const whole = messages.push(PART, true);
  expect(whole?.message).toHaveLength(size + PART.length);
  whole?.done();
  expect(budget.taken).toBe(0);
  expect(consumed).toBe(size + PART.length);
});

it('lets a large message wait behind one that has not left, and lends it credit when that has', () => {
  const first = messages.push(PART, true);
  let came = 0;
  for (; came < AGENT_LIMITS.streamWindow - PART.length; came += PART.length) messages.push(PART, false);
  expect([consumed, budget.taken]).toEqual([0, 0]);
  first?.done();
  expect([consumed, budget.taken]).toEqual([PART.length + came, came]);
  messages.push(PART, true)?.done();
  expect([consumed, budget.taken]).toEqual([2 * PART.length + came, 0]);
});

it('lends all streams together no more than the budget: past it they keep to their windows, and a message that cannot is refused', () => {
  const many = new Budget(4 * PART.length);
  const credit: number[] = [];
  const streams = Array.from({ length: 8 }, () => new Messages(many, (bytes) => credit.push(bytes)));
  for (const stream of streams) stream.push(PART, false);
  expect(credit).toEqual([PART, PART, PART, PART].map(({ length }) => length));
  const push = (): void => {
    for (;;) streams.at(-1)?.push(PART, false);
  };
  expect(push).toThrow(expect.objectContaining({ code: ProtocolCode.OVERLOADED }));
});

it('refuses a message without end', () => {
  const endless = (): void => {
    for (;;) messages.push(PART, false);
  };
  expect(endless).toThrow(expect.objectContaining({ code: ProtocolCode.LIMIT }));
});

it('gives back what it holds of a message whose end will not come', () => {
  for (let i = 0; i < 10; i++) messages.push(PART, false);
  messages.drop();
  expect(budget.taken).toBe(0);
  expect(consumed).toBe(10 * PART.length);
  messages.drop();
  expect(consumed).toBe(10 * PART.length);
});
