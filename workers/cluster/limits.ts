/** Every number of the cluster object, with its reason. */

/** How long a request waits for a tunnel that has just been lost, ms: a deploy or a rollout brings it back within three seconds. */
export const TUNNEL_WAIT_MS = 5_000;

/**
 * A tunnel that has been gone for longer is down, and the answer comes at once: kubectl asks five times in a row before it says that a server does not answer, so waiting
 * each time would keep a person for half a minute (rancher#39597).
 */
export const TUNNEL_RECENTLY_MS = 10_000;

/** Requests that may wait for a tunnel at once; each holds its client's connection and little else. */
export const MAX_WAITING = 1_000;

/** Tunnels of one cluster: a Deployment of two, twice that in a rollout, and a margin for node agents. */
export const MAX_TUNNELS = 64;

/**
 * Dials of a cluster's agents from one address, a second and at once. A dial costs a challenge and may push out another that was not proven yet. An agent dials within a second at first and
 * more slowly each time (`agent/tunnel/reconnect.ts`); after a deploy of the plane all of a cluster's may come at once, from behind one address.
 */
export const DIAL_RATE = { perSecond: 4, burst: 2 * MAX_TUNNELS } as const;

/**
 * Requests that a person may give up before they are answered, a second and at once. Each costs its sender a frame, and the agent a connection to the API server, which ends with the request
 * ("rapid reset", CVE-2023-44487, one hop on). What the cluster answers before anybody looks for its client ({@link LOOK_AFTER_MS}) has cost no more than a request that is waited for, and counts as one. A controller that is stopped may give up all that it has under way.
 */
export const CANCEL_RATE = { perSecond: 100, burst: 1_000 } as const;

/**
 * Requests to a cluster with one token, a second and at once. An object has one thread, of which Cloudflare says that it answers some 1,000 requests a second (Durable Objects, "limits"); the API server's
 * priority and fairness keeps people apart only behind it. A controller asks 50 times a second and 100 times at once (client-go's usual limits), kubectl 50 and 300. `REQUESTS_PER_TOKEN` sets another rate.
 */
export const TOKEN_RATE = { perSecond: 1_000, burst: 4_000 } as const;

/**
 * Requests from one address to any cluster whose token is not good, a second and at once, counted by each isolate. Each costs the check of a signature. Some machines in one office whose tokens have just expired
 * stay below; who is let in is never counted.
 */
export const STRANGER_RATE = { perSecond: 100, burst: 1_000 } as const;

/** People, tokens or addresses that a rate is kept for: some 100 KB. */
export const MAX_RATED = 1_024;

/** What a client's WebSocket may have queued in memory before the rest goes to disk, octets. */
export const UPLOAD_MEMORY_BYTES = 4 * 1024 * 1024;

/** The same for all client WebSockets of a cluster: an isolate has 128 MB for the objects in it (Workers limits). */
export const UPLOADS_MEMORY_BYTES = 16 * 1024 * 1024;

/** What all client WebSockets of a cluster may have on disk, octets: an object's SQLite takes 10 GB, and deployments of `kubectl cp` stay far below. */
export const UPLOAD_DISK_BYTES = 2 * 1024 * 1024 * 1024;

/** One row of spilled upload, octets: SQLite rows in objects end at 2 MB. */
export const SPILL_ROW_BYTES = 1024 * 1024;

/** What a row takes on disk besides its octets, about: so that messages without content meet the limit too. */
export const SPILL_ROW_OVERHEAD = 128;

/** A WebSocket message from the cluster is put together before it can be sent on. The API server writes at most 32 KiB at a time; this leaves room for other servers. */
export const MAX_CLIENT_MESSAGE_BYTES = 4 * 1024 * 1024;

/**
 * How long an agent may leave a stream without ACCEPT or HEAD, ms, while nothing else comes from it either: it promises one within a second (`ACCEPT_AFTER_MS`), so
 * the connection is dead, long before its missing pings show it.
 */
export const ANSWER_MS = 5_000;

/**
 * How much of a request is taken and thrown away before an error that came early goes out, octets. An API server takes 3 MiB of a request (Kubernetes `apiserver/pkg/server/config.go`, `MaxRequestBodyBytes`);
 * whoever sends several times as much by mistake still reads why it was refused.
 */
export const EARLY_ANSWER_BYTES = 16 * 1024 * 1024;

/** How long such an answer waits, ms: a line that carries two megabytes a second brings all of that. */
export const EARLY_ANSWER_MS = 10_000;

/** Such answers at once in one isolate; each holds a buffer of 64 KiB. Past it they go out at once, and may be lost. */
export const MAX_EARLY_ANSWERS = 128;

/** How often a tunnel's silence is judged at most, ms: reading the platform's timestamp on each request would cost more than it tells. */
export const SILENCE_CHECK_MS = 1_000;

/** How long a request is under way before its client is watched, ms: less than anybody sees, and more than a small request takes. What ended meanwhile was answered into the void. */
export const LOOK_AFTER_MS = 50;

/** Questions to the agent under way at once: each holds its question and its answer, half a MiB at most. */
export const MAX_CALLS = 32;

/** How long an answer "no such cluster" is believed by an object that holds nothing, ms. */
export const UNKNOWN_FOR_MS = 2_000;
