/** Code that shares a fate: one life of the plane's object, one agent process. What a dead domain had planned never happens. */
export class Domain {
  readonly name: string;
  dead = false;
  /** Timers of the code under test that are running. */
  readonly timers = new Set<Timer>();

  constructor(name: string) {
    this.name = name;
  }
}

/** What `setTimeout` gives to the code under test; Node's has these too. */
export class Timer {
  readonly at: number;
  readonly domain: Domain;
  /** A moment of two events is decided by who came first. */
  readonly order: number;
  run: (() => void) | null;

  constructor(at: number, order: number, domain: Domain, run: () => void) {
    this.at = at;
    this.order = order;
    this.domain = domain;
    this.run = run;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** The real one: once it runs, every microtask and `process.nextTick` of before has run. */
const afterMicrotasks = globalThis.setImmediate;

/** The world's time of day when a simulation begins, epoch ms; any that real code takes for one. */
const EPOCH = 1_700_000_000_000;

/**
 * Virtual time: a queue of events, each of which runs to its last microtask before the next begins. While it is {@link Clock.installed}, the timers of the
 * code under test are events too, and nothing waits for the real clock.
 */
export class Clock {
  /** ms since the world began. */
  now = 0;
  /** Whose event is running; timers belong to it. */
  domain: Domain;
  /** Events that have run. */
  steps = 0;
  readonly #heap: Timer[] = [];
  #order = 0;

  constructor(domain: Domain) {
    this.domain = domain;
  }

  /** Plans an event of `domain`. */
  after(ms: number, domain: Domain, run: () => void): Timer {
    const timer = new Timer(this.now + Math.max(0, ms), this.#order++, domain, run);
    this.#push(timer);
    return timer;
  }

  /** Resolves after `ms`, in an event of `domain`; rejects when `signal` aborts. */
  sleep(ms: number, domain: Domain, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(ms, domain, resolve);
      signal?.addEventListener('abort', () => {
        timer.run = null;
        reject(new Error('aborted'));
      });
    });
  }

  /** Lets time pass up to `until`; what is planned for then is done. */
  async runTo(until: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      const { run } = next;
      if (run === null || next.domain.dead) continue;
      next.run = null;
      this.now = next.at;
      this.domain = next.domain;
      this.steps++;
      next.domain.timers.delete(next);
      run();
      await new Promise<void>((resolve) => void afterMicrotasks(resolve));
    }
    this.now = until;
  }

  /** Runs `work` with the timers and clocks of the globals replaced by this one's. */
  async installed<T>(globals: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
    const restore = [
      replace(globalThis, { ...this.#timers(), ...globals }),
      replace(Date, { now: () => EPOCH + this.now }),
      replace(performance, { now: () => this.now }),
      // Signatures take real time, in threads of their own; who may dial is not what is simulated.
      replace(crypto.subtle, {
        sign: () => Promise.resolve(new ArrayBuffer(64)),
        verify: () => Promise.resolve(true),
        importKey: () => Promise.resolve({}),
      }),
    ];
    try {
      return await work();
    } finally {
      for (const undo of restore) undo();
    }
  }

  #timers(): Record<string, unknown> {
    const start = (ms: number, run: () => void): Timer => {
      const timer = this.after(ms, this.domain, run);
      timer.domain.timers.add(timer);
      return timer;
    };
    const stop = (timer: Timer | null | undefined): void => {
      if (!(timer instanceof Timer)) return;
      timer.run = null;
      timer.domain.timers.delete(timer);
    };
    return {
      setTimeout: (run: () => void, ms = 0) => start(ms, run),
      setImmediate: (run: () => void) => this.after(0, this.domain, run),
      clearTimeout: stop,
      setInterval: (run: () => void, ms: number) => {
        // One handle for all its turns, so that it can be stopped.
        const { domain } = this;
        const handle = new Timer(Number.POSITIVE_INFINITY, 0, domain, run);
        domain.timers.add(handle);
        const turn = (): void => {
          if (handle.run === null) return;
          this.after(ms, domain, turn);
          run();
        };
        this.after(ms, domain, turn);
        return handle;
      },
      clearInterval: stop,
    };
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Puts properties in an object's place; gives what puts them back. */
function replace(target: object, properties: Record<string, unknown>): () => void {
  const old = Object.keys(properties).map((name) => [name, Object.getOwnPropertyDescriptor(target, name)] as const);
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(target, name, { value, configurable: true, writable: true });
  }
  return () => {
    for (const [name, descriptor] of old) {
      if (descriptor === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, descriptor);
    }
  };
}
