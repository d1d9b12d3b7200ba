import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, marked } from './client.ts';
import { CONFIG_MAPS } from './objects.ts';
import type { Heard, WatchEvent } from './journal.ts';

/** What a watch asks for as its end, s: client-go asks for five to ten minutes; this is longer than any schedule. */
const TIMEOUT_SECONDS = 120;

/** Between attempts, ms; client-go begins with 800, but a schedule is short. */
const BACK_OFF_MS = 50;

/** The expired resourceVersion: whoever hears it has to list anew, and has been told so. */
const GONE = 410;

interface RawEvent {
  type: string;
  object: { code?: number; metadata: { name: string; resourceVersion: string; labels?: Record<string, string> } };
}

/** Watches ConfigMaps as client-go's reflector does: lists, watches from there, goes on from the last version it heard whenever a watch ends, and lists anew on 410. */
export class Watcher {
  readonly #client: Client;
  readonly #name: string;
  readonly #selector: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #last = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  #events: WatchEvent[] = [];
  #since = '';
  #version = '';
  #watches = 0;

  constructor(client: Client, name: string, selector: string) {
    this.#client = client;
    this.#name = name;
    this.#selector = encodeURIComponent(selector);
    this.#running = this.#run();
  }

  /** Resolves once a watch was answered. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Resolves when an object labelled `last=yes` was heard of. */
  get heardLast(): Promise<void> {
    return this.#last.promise;
  }

  async end(complete: boolean): Promise<Heard> {
    this.#stop.abort();
    await this.#running;
    const { name, events, since, watches } = {
      name: this.#name,
      events: this.#events,
      since: this.#since,
      watches: this.#watches,
    };
    return { name, events, since, complete, watches };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#version === '') await this.#list();
        else await this.#watch(signal);
      } catch {
        // Told that it broke: that is what going on is for.
      }
      await sleep(BACK_OFF_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #list(): Promise<void> {
    const { signal } = this.#stop;
    const response = await this.#client.open('GET', `${CONFIG_MAPS}?labelSelector=${this.#selector}`, signal);
    const text = await response.body.text();
    if (response.statusCode !== 200) return;
    const { metadata, items } = JSON.parse(text) as {
      metadata: { resourceVersion: string };
      items: RawEvent['object'][];
    };
    this.#events = [];
    this.#since = metadata.resourceVersion;
    this.#version = metadata.resourceVersion;
    for (const item of items) this.#look(item);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${TIMEOUT_SECONDS}&resourceVersion=${this.#version}`;
    const path = marked(`${CONFIG_MAPS}?labelSelector=${this.#selector}&${query}`, `${this.#name}-watch`);
    const { statusCode, body } = await this.#client.open('GET', path, signal);
    if (statusCode !== 200) {
      await body.text();
      if (statusCode === GONE) this.#version = '';
      return;
    }
    this.#watches++;
    this.#opened.resolve();
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#hear(JSON.parse(line) as RawEvent);
    }
  }

  #hear({ type, object }: RawEvent): void {
    if (type === 'ERROR') {
      if (object.code === GONE) this.#version = '';
      throw new Error('the watch said that it is over');
    }
    const { name, resourceVersion } = object.metadata;
    this.#version = resourceVersion;
    if (type === 'BOOKMARK') return;
    this.#events.push({ type, name, resourceVersion });
    this.#look(object);
  }

  #look(object: RawEvent['object']): void {
    if (object.metadata.labels?.['last'] === 'yes') this.#last.resolve();
  }
}
