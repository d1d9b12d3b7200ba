import { ProtocolCode, ProtocolError } from './codes.ts';
import { decodeRequestHead, encodeRequestHead } from './head.ts';
import { MAX_CALL_MS } from '../limits.ts';

/** The head of a `call` stream: what is asked, and until when (README "Calls"). */
export interface CallHead {
  /** Name of the question: a path, such as `/directory`. */
  question: string;
  /** How long the plane waits from the OPEN on, ms; 1 to {@link MAX_CALL_MS}. */
  deadline: number;
}

/** Names of questions. Apart from their schemas: who only tells them apart needs none of those. */
export const DIRECTORY_QUESTION = '/directory';

const METHOD = 'ASK';
const FIELD = 'deadline';

/** @throws ProtocolError for a question or deadline that cannot be carried. */
export function encodeCall({ question, deadline }: CallHead): Uint8Array {
  return encodeRequestHead({ method: METHOD, target: question, fields: [[FIELD, String(checked(deadline))]] });
}

/** @throws ProtocolError PROTOCOL_ERROR for a head that asks nothing. */
export function decodeCall(bytes: Uint8Array): CallHead {
  const { method, target, fields } = decodeRequestHead(bytes);
  const [field, second] = fields.filter(([name]) => name === FIELD);
  if (method !== METHOD || field === undefined || second !== undefined || !/^[1-9][0-9]{0,8}$/.test(field[1])) {
    throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'not the head of a call');
  }
  return { question: target, deadline: checked(Number(field[1])) };
}

function checked(deadline: number): number {
  if (Number.isInteger(deadline) && deadline >= 1 && deadline <= MAX_CALL_MS) return deadline;
  throw new ProtocolError(ProtocolCode.PROTOCOL_ERROR, 'the deadline of a call');
}
