import { describe, expect, test } from 'vitest';

import { encodeCall } from '#schema/protocol/codec/call.ts';
import { encodeClose } from '#schema/protocol/codec/close.ts';
import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag, StreamKind } from '#schema/protocol/codec/frame.ts';
import { encodeRequestHead, encodeResponseHead } from '#schema/protocol/codec/head.ts';
import type { Stream } from '#schema/protocol/flow/stream.ts';
import { octets, TOLERATED, TRANSCRIPTS, type Transcript } from './support/golden.ts';
import { Link, utf8, type End } from './support/link.ts';
import { Owner } from './support/owner.ts';

/** What makes each message of a transcript: the verbs of the end that sends it. */
type Script = ((act: {
  link: Link;
  plane: Owner;
  agent: Owner;
  open: (target: string, fin: boolean) => void;
}) => void)[];

const head = (method: string, target: string) => encodeRequestHead({ method, target, fields: [] });
const status = (code: number) => encodeResponseHead({ status: code, fields: [] });

const SCRIPTS: Record<keyof typeof TRANSCRIPTS, Script> = {
  get: [
    ({ open }) => open('GET /api', true),
    ({ agent }) => {
      agent.stream?.head(encodeResponseHead({ status: 200, fields: [['content-length', '2   ']] }));
      agent.stream?.write(utf8('ok'));
      agent.stream?.end();
    },
  ],
  upgrade: [
    ({ link, plane }) => {
      plane.stream = link.plane.session.open(StreamKind.UPGRADE, head('GET', '/exec'), false, plane);
    },
    ({ agent }) => agent.stream?.head(status(101)),
    ({ plane }) => plane.stream?.write(utf8('ls'), Flag.TEXT | Flag.MESSAGE_END),
    ({ agent }) => {
      agent.stream?.write(new Uint8Array(0), Flag.MESSAGE_END);
      agent.stream?.end(encodeClose({ code: 1000, reason: 'bye' }));
    },
    ({ plane }) => plane.stream?.end(),
  ],
  credit: [
    ({ open, plane }) => {
      open('PUT /x', false);
      plane.stream?.write(new Uint8Array(512).fill(0x61));
    },
    ({ agent }) => agent.consume(512),
    ({ plane }) => plane.stream?.end(),
    ({ agent }) => agent.stream?.accept(),
    ({ agent }) => agent.stream?.head(status(201), true),
  ],
  call: [
    ({ link, plane }) => {
      const asked = encodeCall({ question: '/q', deadline: 20_000 });
      plane.stream = link.plane.session.open(StreamKind.CALL, asked, false, plane);
      plane.stream.write(utf8('{}'));
      plane.stream.end();
    },
    ({ agent }) => {
      agent.stream?.head(status(200));
      agent.stream?.write(utf8('[]'));
      agent.stream?.end();
    },
  ],
  ends: [
    ({ open }) => open('GET /w', true),
    ({ plane }) => plane.stream?.reset(ProtocolCode.CANCELLED, 'client gone'),
    ({ link }) => link.agent.session.goaway(ProtocolCode.DRAIN, 'SIGTERM'),
    ({ open }) => open('GET /x', true),
    () => undefined,
    ({ link }) => link.plane.session.goaway(ProtocolCode.SUPERSEDED, ''),
  ],
};

const keys = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

describe.each(keys.map((key) => ({ key, ...(TRANSCRIPTS[key] as Transcript) })))(
  '$name',
  ({ key, incarnation, messages }) => {
    test('both ends say it octet for octet and take it from the other', () => {
      const plane = new Owner(1, false);
      const agent = new Owner(2, false);
      const onOpen = (stream: Stream) => {
        agent.stream = stream;
        stream.handler = agent;
      };
      const limits = { streamWindow: 2048, sessionWindow: 2048, maxStreams: 10 };
      const link = new Link({ incarnation, onOpen, plane: limits, agent: limits });
      const open = (line: string, fin: boolean) => {
        const [method = '', target = ''] = line.split(' ');
        plane.stream = link.plane.session.open(StreamKind.HTTP, head(method, target), fin, plane);
      };
      /** The plane's OPEN crosses the agent's GOAWAY: what was sent last is delivered after the next script. */
      const crossing = key === 'ends' ? 2 : -1;
      let late: { from: End; message: Uint8Array } | null = null;
      for (const [i, message] of messages.entries()) {
        SCRIPTS[key][i]?.({ link, plane, agent, open });
        const said = link[message.from].session.pull();
        expect([message.meaning, said]).toEqual([message.meaning, octets(message.hex)]);
        const to = message.from === 'plane' ? link.agent : link.plane;
        if (i === crossing) late = { from: to, message: octets(message.hex) };
        else to.session.receive(octets(message.hex));
        if (late !== null && i === crossing + 1) late.from.session.receive(late.message);
      }
      expect([
        link.plane.errors,
        link.agent.errors,
        link.plane.session.openStreams,
        link.agent.session.openStreams,
      ]).toEqual([[], [], 0, 0]);
    });
  },
);

test.each(TOLERATED)('either end tolerates $meaning', ({ hex }) => {
  const link = new Link();
  for (const end of [link.plane, link.agent]) end.session.receive(octets(hex));
  expect([...link.plane.errors, ...link.agent.errors]).toEqual([]);
});
