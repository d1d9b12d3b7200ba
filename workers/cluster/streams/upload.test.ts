import { expect, test } from 'vitest';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { SPILL_ROW_BYTES, SPILL_ROW_OVERHEAD, UPLOAD_MEMORY_BYTES, UPLOADS_MEMORY_BYTES } from '../limits.ts';
import type { SpilledRow } from '../storage.ts';
import { Upload, type Queued, type SpillStore } from './upload.ts';

const END = Flag.MESSAGE_END;

/** A stream that takes what a test lets it take. */
class FakeStream {
  queued = 0;
  /** Octets in its queue from which it says that it is full. */
  high = 256 * 1024;
  readonly sent: { size: number; flags: number }[] = [];
  readonly ends: Uint8Array[] = [];

  write(data: Uint8Array, flags = 0): boolean {
    this.queued += data.byteLength;
    this.sent.push({ size: data.byteLength, flags });
    return this.queued < this.high;
  }
  end(payload: Uint8Array = new Uint8Array(0)): void {
    this.ends.push(payload);
  }
}

class FakeStore implements SpillStore {
  spilledBytes = 0;
  limit = 1e9;
  readonly rows = new Map<number, SpilledRow & { key: number }>();
  readonly #open = new Map<number, Queued>();
  #last = 0;

  get queuedBytes(): number {
    return [...this.#open.values()].reduce((sum, { queued }) => sum + queued, 0);
  }
  open(stream: Queued): number {
    this.#open.set(++this.#last, stream);
    return this.#last;
  }
  close(key: number, hasRows: boolean): void {
    this.#open.delete(key);
    if (hasRows) for (const row of this.rows.values()) if (row.key === key) this.rows.delete(row.id);
  }
  spill(key: number, flags: number, data: Uint8Array): void {
    this.rows.set(++this.#last, { id: this.#last, key, flags, data });
  }
  spilled(key: number): SpilledRow | null {
    for (const row of this.rows.values()) if (row.key === key) return row;
    return null;
  }
  deleteSpilled(id: number): void {
    this.rows.delete(id);
  }
}

function make(): { stream: FakeStream; store: FakeStore; upload: Upload } {
  const stream = new FakeStream();
  const store = new FakeStore();
  return { stream, store, upload: new Upload(stream, store) };
}

test('while there is room nothing touches the disk', () => {
  const { stream, store, upload } = make();
  expect(upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END)).toBe(true);
  expect(stream.sent).toEqual([{ size: UPLOAD_MEMORY_BYTES, flags: END }]);
  expect(store.rows.size).toBe(0);
});

test('past the memory of one upload messages go to disk in rows, and keep their one end', () => {
  const { stream, store, upload } = make();
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  upload.write(new Uint8Array(2 * SPILL_ROW_BYTES + 1), END | Flag.TEXT);
  expect([...store.rows.values()].map(({ data, flags }) => [data.byteLength, flags])).toEqual([
    [SPILL_ROW_BYTES, Flag.TEXT],
    [SPILL_ROW_BYTES, Flag.TEXT],
    [1, END | Flag.TEXT],
  ]);
  expect(store.spilledBytes).toBe(2 * SPILL_ROW_BYTES + 1 + 3 * SPILL_ROW_OVERHEAD);
  expect(stream.sent).toHaveLength(1);
});

test('a message of a whole row is one row', () => {
  const { store, upload } = make();
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  upload.write(new Uint8Array(SPILL_ROW_BYTES), END);
  expect([...store.rows.values()].map(({ flags }) => flags)).toEqual([END]);
});

test('what is on disk goes before what comes later, empty messages among them', () => {
  const { stream, store, upload } = make();
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  upload.write(new Uint8Array(0), END);
  stream.queued = 0;
  upload.write(new Uint8Array(1), END);
  upload.write(new Uint8Array(2), END);
  upload.drain();
  expect(stream.sent.slice(1).map(({ size }) => size)).toEqual([0, 1, 2]);
  expect(store.rows.size).toBe(0);
  expect(store.spilledBytes).toBe(0);
});

test('draining stops while the stream is full, and goes on when it is not', () => {
  const { stream, store, upload } = make();
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  for (let i = 0; i < 3; i++) upload.write(new Uint8Array(SPILL_ROW_BYTES), END);
  stream.queued = 0;
  upload.drain();
  expect(stream.sent).toHaveLength(2);
  expect(store.rows.size).toBe(2);
  stream.queued = 0;
  upload.drain();
  expect(store.rows.size).toBe(1);
});

test('a message that is larger than memory allows does not wait for a stream that has nothing to send', () => {
  const { stream, store, upload } = make();
  stream.high = Infinity;
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES + 1), END);
  expect(stream.sent.reduce((sum, { size }) => sum + size, 0)).toBe(UPLOAD_MEMORY_BYTES + 1);
  expect(store.rows.size).toBe(0);
});

test('what all uploads hold in memory is bounded together', () => {
  const store = new FakeStore();
  const streams = Array.from({ length: 8 }, () => new FakeStream());
  for (const stream of streams) new Upload(stream, store).write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  expect(store.rows.size).toBeGreaterThan(0);
  // Each that is not full yet takes one row more from disk.
  expect(store.queuedBytes).toBeLessThanOrEqual(UPLOADS_MEMORY_BYTES + streams.length * SPILL_ROW_BYTES);
});

test('an end waits for what is on disk', () => {
  const { stream, upload } = make();
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  upload.write(new Uint8Array(1), END);
  upload.end(new Uint8Array([3, 232]));
  expect(stream.ends).toEqual([]);
  stream.queued = 0;
  upload.drain();
  expect(stream.sent).toHaveLength(2);
  expect(stream.ends).toEqual([new Uint8Array([3, 232])]);
});

test('an end with nothing on disk is given at once', () => {
  const { stream, upload } = make();
  upload.write(new Uint8Array(1), END);
  upload.end(new Uint8Array(0));
  expect(stream.ends).toHaveLength(1);
});

test('past the limit of the disk a message is refused, and nothing of it is kept', () => {
  const { store, upload } = make();
  store.limit = SPILL_ROW_BYTES + SPILL_ROW_OVERHEAD;
  upload.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  expect(upload.write(new Uint8Array(SPILL_ROW_BYTES + 1), END)).toBe(false);
  expect(store.rows.size).toBe(0);
  expect(upload.write(new Uint8Array(SPILL_ROW_BYTES), END)).toBe(true);
  expect(upload.write(new Uint8Array(0), END)).toBe(false);
});

test('discarding one upload leaves the rows of another', () => {
  const { store, upload } = make();
  const other = new Upload(new FakeStream(), store);
  for (const full of [upload, other]) full.write(new Uint8Array(UPLOAD_MEMORY_BYTES), END);
  upload.write(new Uint8Array(5), END);
  other.write(new Uint8Array(7), END);
  upload.discard();
  expect([...store.rows.values()].map(({ data }) => data.byteLength)).toEqual([7]);
  expect(store.spilledBytes).toBe(7 + SPILL_ROW_OVERHEAD);
  upload.discard();
  expect(store.spilledBytes).toBe(7 + SPILL_ROW_OVERHEAD);
});
