import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { StreamKind } from '#schema/protocol/codec/frame.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import type { StreamMetrics } from '../../metrics.ts';
import { serveCall } from './call.ts';
import { refuse, serveHttp } from './http.ts';
import { serveUpgrade } from './upgrade/upgrade.ts';
import type { Upstream } from './upstream.ts';

type Serve = (upstream: Upstream, stream: Stream, head: Uint8Array, metrics: StreamMetrics) => void;

/** The stream kinds that a cluster agent serves, by the name under which HELLO lists them. */
const KINDS: readonly { kind: StreamKind; capability: string; serve: Serve }[] = [
  { kind: StreamKind.HTTP, capability: 'http', serve: serveHttp },
  { kind: StreamKind.UPGRADE, capability: 'upgrade', serve: serveUpgrade },
  { kind: StreamKind.CALL, capability: 'call', serve: serveCall },
];

/** For HELLO. */
export const CAPABILITIES: readonly string[] = KINDS.map(({ capability }) => capability);

/** What a tunnel calls for each stream that the plane opens. */
export function streamServer(upstream: Upstream): (stream: Stream, head: Uint8Array) => void {
  const byKind = new Map<number, Serve>(KINDS.map(({ kind, serve }) => [kind, serve]));
  return (stream, head) => {
    const metrics = upstream.metrics.opened(stream.kind);
    const serve = byKind.get(stream.kind);
    if (serve === undefined)
      refuse(stream, metrics, {
        code: ProtocolCode.UNSUPPORTED,
        reason: 'a stream kind that this agent does not serve',
      });
    else serve(upstream, stream, head, metrics);
  };
}
