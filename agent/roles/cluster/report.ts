import { TRACEPARENT, traceOf } from '#schema/http/trace.ts';
import { codeName } from '#schema/protocol/codec/codes.ts';
import type { RequestHead } from '#schema/protocol/codec/head.ts';
import type { LogFields, Logger } from '../../log.ts';
import type { StreamMetrics } from '../../metrics.ts';

/** The plane's name for a request, which its client sees too. */
const REQUEST_ID = 'x-request-id';

/** By what a request is called in the plane's log and in traces. */
export function namesOf({ fields }: RequestHead): LogFields {
  const field = (wanted: string): string | null => fields.find(([name]) => name === wanted)?.[1] ?? null;
  const traceparent = field(TRACEPARENT);
  return {
    requestId: field(REQUEST_ID) ?? undefined,
    traceId: traceparent === null ? undefined : traceOf(traceparent).traceId,
  };
}

/**
 * As `metrics`, with a line for each request when it is over. At level `debug`: the plane's log has a line for each already, and at ten thousand requests a second
 * a line of our own would be most of the work. Without query, which may hold a secret.
 */
export function reported(log: Logger, head: RequestHead, metrics: StreamMetrics): StreamMetrics {
  const began = performance.now();
  const line = (outcome: string): void =>
    log.debug('request', () => ({
      ...namesOf(head),
      method: head.method,
      path: head.target.split('?', 1)[0],
      outcome,
      milliseconds: Math.round(performance.now() - began),
    }));
  return {
    head: (status) => metrics.head(status),
    answered: (status) => {
      metrics.answered(status);
      line(String(status));
    },
    reset: (code) => {
      metrics.reset(code);
      line(codeName(code));
    },
  };
}
