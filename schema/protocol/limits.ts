/** Every number of the tunnel protocol, with its reason. Octets unless said otherwise. */
import { FRAME_HEADER_BYTES } from './codec/frame.ts';

/** DATA payload: large enough to carry bulk at memory speed, small enough that an interactive frame waits for little (README "Fairness"). */
export const MAX_DATA_BYTES = 64 * 1024;

/** A batch of frames: far below the 32 MiB that Workers accept, so that a hostile message costs little. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** HELLO is a few hundred octets of JSON. */
export const MAX_HELLO_BYTES = 4 * 1024;

/** Workers refuse requests with more than 128 KB of header fields; a response is held to the same. */
export const MAX_HEAD_BYTES = 128 * 1024;

/**
 * Fields of a head: each costs its reader far more than its octets (3 µs in a Worker), and 128 KiB have room for 40,000. A person may be in a thousand groups, of which each is a field; Node reads
 * 2,000 of a response.
 */
export const MAX_HEAD_FIELDS = 2048;

/** RFC 6455 §5.5: control frames carry at most 125 octets, two of them the close code. */
export const MAX_CLOSE_REASON_BYTES = 125 - 2;

/** Reasons are for people; one line is enough. */
export const MAX_REASON_BYTES = 200;

/** Payload of frames whose type this version does not know. */
export const MAX_UNKNOWN_BYTES = MAX_DATA_BYTES;

/** Below this much queued a stream is interactive and goes before bulk streams. */
export const INTERACTIVE_BYTES = 16 * 1024;

/** What a bulk stream sends in one turn: a whole frame, which is a message (see {@link PULL_BYTES}). */
export const BULK_TURN_BYTES = MAX_DATA_BYTES;

/** After this much interactive payload a bulk stream gets a turn, so that many small streams cannot starve it. */
export const INTERACTIVE_BURST_BYTES = 256 * 1024;

/** What a session says of itself in HELLO; each side is bound by the other's. */
export interface SessionLimits {
  /** Credit of a new stream. */
  streamWindow: number;
  /** Credit of the session. */
  sessionWindow: number;
  /** Streams open at once. */
  maxStreams: number;
}

/**
 * The plane's limits. The session window bounds what one cluster's answers can hold in its object: an isolate has 128 MB, shared by objects (Workers limits),
 * and `design.md` gives one object's buffers 32 MiB. A stream begins small, so that streams nobody reads leave room for others.
 */
export const PLANE_LIMITS: SessionLimits = {
  streamWindow: 64 * 1024,
  sessionWindow: 16 * 1024 * 1024,
  maxStreams: 2048,
};

/** The agent's limits. Uploads are rarer than downloads; its pod is held to 150 MiB under load. */
export const AGENT_LIMITS: SessionLimits = {
  streamWindow: 64 * 1024,
  sessionWindow: 16 * 1024 * 1024,
  maxStreams: 2048,
};

/** What a stream's window grows to at most: 80 MB/s at a round trip of 50 ms. */
export const MAX_STREAM_WINDOW = 4 * 1024 * 1024;

/** The part of a session's window by which its streams' windows may grow, all together: the rest is for those that begin. */
export const GROWTH_PART = 1 / 2;

/** A window that goes by within this many round trips is what the sender waits for: one, in theory, and another for reports that come in quarters and clocks that count in ms. */
export const GROW_WITHIN_ROUND_TRIPS = 3;

/** A window that takes longer than this is larger than its reader needs. Far from the above, so that it does not swing. */
export const SHRINK_AFTER_ROUND_TRIPS = 16;

/** Workers' clocks count whole milliseconds. */
export const LEAST_ROUND_TRIP_MS = 1;

/** Past this part of the session's window, held by readers that do not read, those that have not read for {@link STALLED_MS} are ended. */
export const CONGESTED_PART = 3 / 4;

/** A stream that gave no credit back for this long, ms, while others wait for room, has a reader that has gone to sleep: kubectl at a pager, at a guess. */
export const STALLED_MS = 10_000;

/** How often a congested session is looked at, ms. */
export const RELIEF_CHECK_MS = 1_000;

/** How long a draining tunnel's streams may go on, ms: the grace a runtime update of Workers gives requests under way. */
export const DRAIN_MS = 30_000;

/**
 * How long a draining tunnel without streams stays open, ms: an OPEN that crossed the GOAWAY still gets its RESET, on which the plane opens it elsewhere. A
 * round trip to a far plane over a poor line.
 */
export const DRAIN_LINGER_MS = 1_000;

/** Without a HEAD for this long the agent sends ACCEPT, so that the plane can tell a slow API server from a dead agent, ms. */
export const ACCEPT_AFTER_MS = 1_000;

/** The agent's ping interval, ms: proxies cut WebSockets idle for about 100 s (buildbot#4078, teleport#11765). */
export const PING_INTERVAL_MS = 20_000;

/**
 * A tunnel on which nothing was heard for this long is dead, ms: two pings, and ten seconds for what is under way before the next. With the plane's looking every few seconds
 * it is less than the minute in which a request that hangs must end.
 */
export const SILENCE_MS = 50_000;

/** From the socket's opening to a settled HELLO, ms. */
export const HELLO_TIMEOUT_MS = 10_000;

/**
 * A stream's owner is told to wait when this much of it is queued to be sent: what a watch has to say at once should be out of the API server's hands, which ends a watcher
 * that does not take its events (`apiserver/pkg/storage/cacher`, "Forcing watcher close due to unresponsiveness") …
 */
export const STREAM_QUEUE_HIGH = 128 * 1024;
/** … and to go on below this. */
export const STREAM_QUEUE_LOW = 64 * 1024;
/** So much a stream may always have queued, however much the others have: what nobody reads must not keep the rest from being written. With 2,048 streams: 32 MiB. */
export const STREAM_QUEUE_LEAST = 16 * 1024;
/** What a queued frame counts besides its payload: about the memory it takes, so that many tiny writes meet the marks too. */
export const QUEUED_FRAME_BYTES = 128;

/** The same for all streams of a session together: sixteen that hold all they may; past it each has its {@link STREAM_QUEUE_LEAST}. With 16 MiB an agent of a hundred downloads held 8 MiB more, and was no faster. */
export const SESSION_QUEUE_HIGH = 2 * 1024 * 1024;
export const SESSION_QUEUE_LOW = 1024 * 1024;
/** Past this no stream is opened: writers stop at the marks above, heads of new streams would not. */
export const SESSION_QUEUE_MAX = 32 * 1024 * 1024;

/** WINDOW and RESET frames that may wait: a peer that causes them and reads none would fill memory (CVE-2019-9512 and its kin). */
export const MAX_CONTROL_FRAMES = 16 * 1024;

/**
 * Frames that a session takes from its peer, a second and at once. A frame without content costs 0.2 to 0.6 µs, and a MiB has room for 87,000 of them: a hostile peer's may cost a tenth
 * of a processor, not all of it. An honest agent handles each on a thread of its own that takes longer for it, and sends a tenth of this under full load.
 */
export const FRAME_RATE = { perSecond: 200_000, burst: 400_000 } as const;

/**
 * A view of a message keeps all of the message's buffer in memory. DATA smaller than that buffer divided by this is copied out, so that what streams
 * hold is at most this many times what their windows allow.
 */
export const MAX_VIEW_RATIO = 2;

/**
 * One message of {@link Session.pull} unless asked otherwise: a full DATA frame. Smaller ones cost a wake of the object each; larger ones hold several frames, each of which has to be
 * copied out ({@link MAX_VIEW_RATIO}), and keep the receiver waiting for their end.
 */
export const PULL_BYTES = MAX_DATA_BYTES + FRAME_HEADER_BYTES;

/** Sequences are 32 bits; past this a tunnel drains and the agent dials again, long before they wrap. */
export const LAST_SEQUENCE = 0x7fff_ffff;

/** The question of a `call` stream: what a stream's first window holds, so that it needs no credit. */
export const MAX_QUESTION_BYTES = 64 * 1024;

/** The answer of a `call` stream is put together before it is read: a person's thousand groups by their ids and names, and room. */
export const MAX_CALL_ANSWER_BYTES = 512 * 1024;

/** How long a `call` may take, ms: a person waits for it, and their browser a minute. */
export const MAX_CALL_MS = 60_000;
