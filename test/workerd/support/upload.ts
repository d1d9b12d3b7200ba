/** A body of `total` octets in pieces, that tells how much was taken of it. */
export function source(total: number, piece = 64 * 1024): { body: ReadableStream<Uint8Array>; taken: () => number } {
  let taken = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const size = Math.min(piece, total - taken);
      if (size === 0) controller.close();
      else controller.enqueue(new Uint8Array(size).fill(taken / piece));
      taken += size;
    },
  });
  return { body, taken: () => taken };
}

/** Waits until a number no longer changes. */
export async function steady(read: () => number): Promise<number> {
  for (let last = -1; ; last = read()) {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
    if (last === read()) return last;
  }
}
