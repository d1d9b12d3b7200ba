/**
 * Sessions as they look on the wire, in the order in which the messages cross it. Any implementation of either end must accept the other
 * end's messages, and say its own octet for octet when it is driven as `golden.test.ts` drives ours.
 */
export interface GoldenMessage {
  from: 'plane' | 'agent';
  meaning: string;
  /** One string for each field or payload; white space inside is for the reader. */
  hex: string[];
}

export interface Transcript {
  name: string;
  incarnation: number;
  messages: GoldenMessage[];
}

const GET = {
  from: 'plane',
  meaning: 'OPEN http "GET /api", FIN',
  hex: [
    '02 01 0007 00000001 00000009', // OPEN, FIN, incarnation 7, sequence 1, 9 octets
    '01', // http
    '474554202f617069', // GET /api
  ],
} as const satisfies GoldenMessage;

export const TRANSCRIPTS = {
  get: {
    name: 'a GET and its small answer: one message each way',
    incarnation: 7,
    messages: [
      { ...GET, hex: [...GET.hex] },
      {
        from: 'agent',
        meaning: 'HEAD 200 and DATA "ok" with FIN',
        hex: [
          '04 00 0007 00000001 00000017', // HEAD, 23 octets
          '323030 0a 636f6e74656e742d6c656e677468 3a 32', // 200, content-length:2
          '20 2020', // padding is not trimmed: the value is "2   "
          '05 01 0007 00000001 00000002', // DATA, FIN, 2 octets
          '6f6b', // ok
        ],
      },
    ],
  },
  upgrade: {
    name: 'an upgrade: 101, a text message each way, and the close',
    incarnation: 0xffff,
    messages: [
      {
        from: 'plane',
        meaning: 'OPEN upgrade "GET /exec"',
        hex: [
          '02 00 ffff 00000001 0000000a', // OPEN, incarnation 65535, sequence 1, 10 octets
          '02', // upgrade
          '474554202f65786563', // GET /exec
        ],
      },
      { from: 'agent', meaning: 'HEAD 101', hex: ['04 00 ffff 00000001 00000003', '313031'] },
      {
        from: 'plane',
        meaning: 'a text message of two octets',
        hex: ['05 06 ffff 00000001 00000002', '6c73'], // DATA, MESSAGE_END and TEXT: ls
      },
      {
        from: 'agent',
        meaning: 'an empty binary message, then the close 1000 "bye"',
        hex: [
          '05 02 ffff 00000001 00000000', // DATA, MESSAGE_END
          '06 01 ffff 00000001 00000005', // END, FIN
          '03e8 627965', // 1000 bye
        ],
      },
      {
        from: 'plane',
        meaning: 'the close back, without a code',
        hex: ['06 01 ffff 00000001 00000000'], // END, FIN
      },
    ],
  },
  credit: {
    name: 'an upload: credit given back once a quarter of a window was consumed',
    incarnation: 0,
    messages: [
      {
        from: 'plane',
        meaning: 'OPEN http "PUT /x" and 512 octets of DATA',
        hex: [
          '02 00 0000 00000001 00000007', // OPEN
          '01 505554202f78', // http, PUT /x
          '05 00 0000 00000001 00000200', // DATA, 512 octets
          '61'.repeat(512),
        ],
      },
      {
        from: 'agent',
        meaning: 'WINDOW of the session and of the stream',
        hex: [
          '08 00 0000 00000000 00000004', // WINDOW of the session
          '00000200', // 512
          '08 00 0000 00000001 00000004', // WINDOW of sequence 1
          '00000200', // 512
        ],
      },
      { from: 'plane', meaning: 'END: nothing was queued that could carry FIN', hex: ['06 01 0000 00000001 00000000'] },
      { from: 'agent', meaning: 'ACCEPT: the head is slow', hex: ['03 00 0000 00000001 00000000'] },
      { from: 'agent', meaning: 'HEAD 201 with FIN', hex: ['04 01 0000 00000001 00000003', '323031'] },
    ],
  },
  call: {
    name: 'a call: the question with its OPEN, and its answer',
    incarnation: 7,
    messages: [
      {
        from: 'plane',
        meaning: 'OPEN call "ASK /q", deadline 20 s, and the question {}',
        hex: [
          '02 00 0007 00000001 00000016', // OPEN, 22 octets
          '04', // call
          '41534b202f71 0a 646561646c696e65 3a 3230303030', // ASK /q, deadline:20000
          '05 01 0007 00000001 00000002', // DATA, FIN
          '7b7d', // {}
        ],
      },
      {
        from: 'agent',
        meaning: 'HEAD 200 and the answer [] with FIN',
        hex: ['04 00 0007 00000001 00000003', '323030', '05 01 0007 00000001 00000002', '5b5d'],
      },
    ],
  },
  ends: {
    name: 'a cancelled watch, a drain with a late OPEN, and the end of the session',
    incarnation: 1,
    messages: [
      { from: 'plane', meaning: 'OPEN http "GET /w", FIN', hex: ['02 01 0001 00000001 00000007', '01 474554202f77'] },
      {
        from: 'plane',
        meaning: 'RESET CANCELLED "client gone"',
        hex: ['07 00 0001 00000001 0000000d', '0001 636c69656e7420676f6e65'],
      },
      {
        from: 'agent',
        meaning: 'GOAWAY DRAIN "SIGTERM"',
        hex: ['09 00 0001 00000000 00000009', '0002 5349475445524d'],
      },
      { from: 'plane', meaning: 'OPEN http "GET /x", FIN', hex: ['02 01 0001 00000003 00000007', '01 474554202f78'] },
      {
        from: 'agent',
        meaning: 'RESET DRAIN "the agent is draining"',
        hex: ['07 00 0001 00000003 00000017', '0002 746865206167656e7420697320647261696e696e67'],
      },
      { from: 'plane', meaning: 'GOAWAY SUPERSEDED', hex: ['09 00 0001 00000000 00000002', '000a'] },
    ],
  },
} as const satisfies Record<string, Transcript>;

/** Messages that a receiver must take without ending the session, whichever end it is: what a newer peer may send. */
export const TOLERATED: { meaning: string; hex: string }[] = [
  { meaning: 'STATE, reserved', hex: '81 00 0000 00000000 00000002 7b7d' },
  { meaning: 'an unknown optional frame of a stream that is unknown', hex: 'f0 ff 0000 0000ffff 00000001 00' },
  { meaning: 'a frame of another incarnation', hex: '05 00 1234 00000009 00000001 00' },
];

export function octets(hex: readonly string[] | string): Uint8Array<ArrayBuffer> {
  const digits = (typeof hex === 'string' ? [hex] : hex).join('').replaceAll(' ', '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
