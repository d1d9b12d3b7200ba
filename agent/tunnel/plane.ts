import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import * as z from 'zod';
import type { Egress } from './egress.ts';

/** An answer of the plane's is a few KiB. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** What the plane said no with. `status` decides whether to try again soon; the message is the plane's own and fit for a log. */
export class PlaneRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = 'PlaneRefusal';
    this.status = status;
  }

  /** The plane understood and will say the same again: 4xx, but for 408 and 429, which are about the moment. */
  get lasting(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }
}

/** RFC 9457, the parts that are shown. */
const Problem = z.object({ title: z.string().max(500).optional(), detail: z.string().max(2000).optional() });

/** The refusal in an answer that is not a success. */
export function refusalOf(status: number, body: string): PlaneRefusal {
  const problem = Problem.safeParse(tryParse(body));
  const said = problem.success ? (problem.data.detail ?? problem.data.title) : undefined;
  return new PlaneRefusal(status, `the plane answered ${status}${said === undefined ? '' : `: ${said}`}`);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Reads an answer's body. Fails when it is longer than any answer of the plane's. */
export async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error("the answer is too long to be the plane's");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * POSTs JSON to the plane and returns the JSON that it answers 2xx with. Redirects are not followed: a credential goes only where it was meant to.
 * @throws PlaneRefusal for any other status; Error when the plane cannot be reached or takes longer than `timeoutMs`.
 */
export async function postJson(url: URL, body: unknown, egress: Egress, timeoutMs: number): Promise<unknown> {
  const text = JSON.stringify(body);
  const request = httpsRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    ...(egress.agent === undefined ? { agent: false } : { agent: egress.agent }),
    ...(egress.ca === undefined ? {} : { ca: egress.ca }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
  let late: Error | null = null;
  const timer = setTimeout(() => {
    late = new Error('the plane did not answer in time');
    request.destroy(late);
    egress.abandon();
  }, timeoutMs);
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve);
      request.on('error', reject);
      request.end(text);
    });
    const answer = await readAnswer(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusalOf(status, answer);
    return JSON.parse(answer) as unknown;
  } catch (error) {
    throw late ?? error;
  } finally {
    clearTimeout(timer);
  }
}
