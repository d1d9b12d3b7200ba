import { Agent, fetch } from 'undici';
import type { z } from 'zod';

/** The management API of a plane, as one caller. */
export class PlaneApi {
  readonly url: string;
  readonly #dispatcher: Agent;
  readonly token: string;

  constructor(plane: { url: string; caPem: string }, token: string) {
    this.url = plane.url;
    this.#dispatcher = new Agent({ connect: { ca: plane.caPem } });
    this.token = token;
  }

  /** The answer as it is. */
  async call(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
    const response = await fetch(new URL(path, this.url), {
      method,
      dispatcher: this.#dispatcher,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** The body of an answer that has to be 2xx. */
  async text(method: string, path: string, body?: unknown): Promise<string> {
    const { status, text } = await this.call(method, path, body);
    if (status < 200 || status > 299) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`);
    return text;
  }

  /** The same, checked. */
  async json<T>(shape: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> {
    return shape.parse(JSON.parse(await this.text(method, path, body)));
  }

  async close(): Promise<void> {
    await this.#dispatcher.close();
  }
}
