import { describe, expect, test } from 'vitest';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { MAX_STREAM_WINDOW, PLANE_LIMITS, STALLED_MS } from '#schema/protocol/limits.ts';
import { Line } from './support/line.ts';

const MB = 1_000_000;
/** Octets a ms of a line that is never what is waited for. */
const WIDE = 1000 * 1000;

const sizeOf = ({ stream }: { stream: { receiveWindow: { size: number } } }): number => stream.receiveWindow.size;

describe('a window grows while it is what the sender waits for', () => {
  test('one stream at a round trip of 50 ms reaches 40 MB/s within a second, and a window of 4 MiB', () => {
    const line = new Line({ roundTripMs: 50, rate: WIDE });
    const download = line.open();
    line.run(1000);
    const before = download.received;
    line.run(1000);
    expect(download.received - before).toBeGreaterThan(40 * MB);
    expect(sizeOf(download)).toBe(MAX_STREAM_WINDOW);
  });

  test('on a line without delay it stays near what the line carries in a few round trips', () => {
    const line = new Line({ roundTripMs: 0, rate: 200_000 });
    const download = line.open();
    line.run(3000);
    expect(download.received).toBeGreaterThan(3000 * 200_000 * 0.9);
    expect(sizeOf(download)).toBeLessThanOrEqual(MAX_STREAM_WINDOW / 2);
  });

  test('a reader that is slow gets no larger window, and one that becomes slow gets its first again', () => {
    const line = new Line({ roundTripMs: 20, rate: WIDE });
    const slow = line.open(100);
    line.run(10_000);
    expect(sizeOf(slow)).toBe(PLANE_LIMITS.streamWindow);
    const quick = line.open(50_000);
    line.run(2000);
    const grown = sizeOf(quick);
    expect(grown).toBeGreaterThan(4 * PLANE_LIMITS.streamWindow);
    quick.pace = 50;
    line.run(200_000);
    expect(sizeOf(quick)).toBeLessThan(grown / 4);
  });
});

describe('room for growth is shared', () => {
  test('all windows together grow by half of the session window at most, and those of streams that end give it back', () => {
    const line = new Line({ roundTripMs: 50, rate: WIDE });
    const first = Array.from({ length: 16 }, () => line.open());
    line.run(3000);
    const grown = first.reduce((sum, download) => sum + sizeOf(download) - PLANE_LIMITS.streamWindow, 0);
    expect(grown).toBeLessThanOrEqual(PLANE_LIMITS.sessionWindow / 2);
    expect(grown).toBeGreaterThan(PLANE_LIMITS.sessionWindow / 4);
    for (const { stream } of first) stream.reset(ProtocolCode.CANCELLED, 'over');
    line.run(200);
    const later = line.open();
    line.run(1000);
    expect(sizeOf(later)).toBe(MAX_STREAM_WINDOW);
  });

  test('a hundred readers that stop at any moment leave room for another stream', () => {
    const line = new Line({ roundTripMs: 5, rate: 100_000 });
    const stopped = Array.from({ length: 100 }, () => line.open());
    line.run(500);
    for (const download of stopped) download.pace = 0;
    line.run(1000);
    const fresh = line.open();
    line.run(1000);
    expect(fresh.received).toBeGreaterThan(10 * MB);
    expect(line.plane.congested).toBe(false);
  });
});

test('streams of any length, whose readers are a little late, take no room for ever', () => {
  const line = new Line({ roundTripMs: 10, rate: WIDE });
  for (let i = 0; i < 200; i++) {
    line.open(40_000, 20_000 + ((i * 37_813) % 1_000_000));
    line.run(40);
  }
  line.run(2000);
  const large = line.open();
  line.run(1000);
  expect(sizeOf(large)).toBe(MAX_STREAM_WINDOW);
});

describe('readers that have gone to sleep', () => {
  test('those that have taken nothing for longest are ended once others have no room, and not before their time', () => {
    const line = new Line({ roundTripMs: 5, rate: WIDE });
    const asleep = Array.from({ length: 400 }, () => line.open(0));
    line.run(1000);
    expect(line.plane.congested).toBe(true);
    const waiting = line.open();
    line.run(STALLED_MS - 2000);
    expect([line.plane.relieve(), waiting.received]).toEqual([0, 0]);
    line.run(2000);
    const ended = line.plane.relieve();
    expect(ended).toBeGreaterThan(0);
    expect(asleep.filter(({ stalled }) => stalled !== null)).toHaveLength(ended);
    expect(line.plane.congested).toBe(false);
    // Others that wait get room first, and fall asleep over it.
    for (let second = 0; second < 5; second++) {
      line.run(1000);
      line.plane.relieve();
    }
    expect(waiting.received).toBeGreaterThan(MB);
  });

  test('a stream that is done, but whose reader still holds its octets, is ended too', () => {
    const line = new Line({ roundTripMs: 5, rate: WIDE, limit: 60_000 });
    const asleep = Array.from({ length: 300 }, () => line.open(0));
    line.run(STALLED_MS + 1000);
    expect(line.plane.congested).toBe(true);
    expect(line.plane.relieve()).toBeGreaterThan(0);
    expect(asleep.some(({ stalled }) => stalled !== null)).toBe(true);
    expect(line.plane.congested).toBe(false);
  });

  test('nobody is ended while there is room, however long they sleep', () => {
    const line = new Line({ roundTripMs: 5, rate: WIDE });
    line.open(0);
    line.run(10 * STALLED_MS);
    expect(line.plane.relieve()).toBe(0);
  });
});
