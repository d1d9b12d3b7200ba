import { encodeRequestHead, encodeResponseHead, type Field } from '#schema/protocol/codec/head.ts';
import type { Dice } from './dice.ts';

/** What fields of Kubernetes look like, and what nobody should send. */
const NAMES = ['accept', 'user-agent', 'content-type', 'content-length', 'x-a', 'connection', 'warning'] as const;
const VALUES = [
  '',
  'application/json',
  '0',
  '12',
  'close, x-a',
  'kubectl/v1.34.2 (linux/amd64)',
  'José',
  '\tx\t',
] as const;
const HOSTILE = [
  '\n',
  '\r\nx-b: 1',
  '\0',
  ' ',
  ':',
  'A',
  'é',
  '\u{1f600}',
  '\ud800',
  '\u007f',
  '\u{feff}',
  '%0a',
  '/',
  '?',
] as const;

/** Text of a field: mostly such as is sent, now and then with something in it that must not be. */
export function field(dice: Dice): string {
  const plain = dice.pick([...NAMES, ...VALUES]) ?? '';
  if (dice.chance(0.7)) return plain;
  const at = dice.below(plain.length + 1);
  return plain.slice(0, at) + (dice.pick(HOSTILE) ?? '') + plain.slice(at);
}

function fields(dice: Dice, also: Field[] = []): Field[] {
  return [
    ...also,
    ...Array.from({ length: dice.below(6) }, (): Field => [dice.pick(NAMES) ?? '', dice.pick(VALUES) ?? '']),
  ];
}

/** Without whom no request is served. */
const ALICE: Field[] = [
  ['impersonate-user', 'u-alice'],
  ['impersonate-group', 'system:authenticated'],
];

export function requestHead(dice: Dice): Uint8Array {
  const method = dice.pick(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'] as const);
  const target = dice.pick(['/api/v1/pods', '/version', '/apis?timeout=32s', '/api/v1/pods?watch=1'] as const);
  const asks = dice.chance(0.9)
    ? ALICE
    : dice.pick([[], [...ALICE, ...ALICE], [['impersonate-user', 'system:admin']]] as Field[][]);
  return encodeRequestHead({ method, target, fields: fields(dice, asks) });
}

export function responseHead(dice: Dice): Uint8Array {
  const status = dice.pick([200, 200, 201, 204, 304, 404, 409, 500, 101, 100] as const);
  return encodeResponseHead({ status, fields: fields(dice) });
}

type Words = Record<string, unknown>;

const limits = (dice: Dice): Words => ({
  streamWindow: dice.pick([1024, 65_536, 512 * 1024] as const),
  sessionWindow: dice.pick([1024, 262_144, 16 * 1024 * 1024] as const),
  maxStreams: dice.pick([1, 64, 2048] as const),
});

export function challenge(dice: Dice): Words {
  return { step: 'challenge', versions: [1], nonce: 'n'.repeat(43), limits: limits(dice) };
}

export function proof(dice: Dice): Words {
  return {
    step: 'proof',
    version: 1,
    instance: 'a'.repeat(16),
    epoch: 1,
    role: 'cluster',
    capabilities: ['http', 'upgrade'],
    limits: limits(dice),
    agentVersion: '0.1.0',
    kubernetesVersion: 'v1.34.2',
    signature: 's'.repeat(86),
  };
}

export function settled(dice: Dice): Words {
  return { step: 'settled', version: 1, standby: dice.chance(0.5) };
}

const LIES = [0, -1, 1, 2 ** 31, 2 ** 53, 1e300, 1.5, '1', '', null, true, [], {}, [1, 2], 'x'.repeat(5000)] as const;

/** A HELLO of which one thing or another is not true. */
export function lie(dice: Dice, words: Words): Words {
  if (dice.chance(0.3)) return words;
  const told: Words = { ...words };
  const names = [...Object.keys(words), '__proto__', 'more'];
  const name = dice.pick(names) ?? 'more';
  if (name === 'limits' && dice.chance(0.8)) told[name] = lie(dice, limits(dice));
  else if (dice.chance(0.2)) delete told[name];
  else told[name] = dice.pick(LIES);
  return told;
}
