/** What has come and was not awaited yet, in order. */
export class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  async next(): Promise<T> {
    const item = this.#items.shift();
    return item ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
  }
}
