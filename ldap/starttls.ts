import { BerReader, BerWriter } from 'ldapts';
import { DirectoryFailure } from './failure.ts';

/** RFC 4511 §4.14.1. */
const START_TLS = '1.3.6.1.4.1.1466.20037';

/** RFC 4511 §4.12: ExtendedRequest is [APPLICATION 23], its name [0]; ExtendedResponse is [APPLICATION 24]. */
const EXTENDED_REQUEST = 0x77;
const REQUEST_NAME = 0x80;
const EXTENDED_RESPONSE = 0x78;

const SEQUENCE = 0x30;

const MESSAGE_ID = 1;

/** An answer is some sixty octets, with a message for people. */
const MAX_RESPONSE_BYTES = 4096;

/** Why there is no TLS with this server. */
export const noStartTls = (server: string, why: string): DirectoryFailure =>
  new DirectoryFailure('untrusted', `${server}: StartTLS failed: ${why}`, true);

/** What asks for TLS on a fresh connection. */
export function startTlsRequest(): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(MESSAGE_ID);
  writer.startSequence(EXTENDED_REQUEST);
  writer.writeString(START_TLS, REQUEST_NAME);
  writer.endSequence();
  writer.endSequence();
  return writer.buffer;
}

/**
 * The answer to {@link startTlsRequest}, as its octets come in. Judged here and not by the LDAP library: whatever comes in the clear behind the answer was put there by somebody on
 * the way, and would be read as if TLS had protected it (the flaw of CVE-2011-0411). So one answer is taken, and nothing behind it.
 */
export class StartTlsAnswer {
  readonly #server: string;
  #received = Buffer.alloc(0);

  constructor(server: string) {
    this.#server = server;
  }

  /**
   * @returns whether the answer is there, and good: TLS begins now. A failure, untrusted, when the server does not want to or says more than that.
   */
  add(octets: Uint8Array): boolean | DirectoryFailure {
    this.#received = Buffer.concat([this.#received, octets]);
    if (this.#received.byteLength > MAX_RESPONSE_BYTES) return noStartTls(this.#server, 'no LDAP came back');
    if (!isWhole(this.#received)) return false;
    if (!isYes(this.#received)) return noStartTls(this.#server, 'it refuses, or said more than its answer');
    return true;
  }
}

/** A whole message, or something that can never be one: {@link isYes} says which. */
function isWhole(received: Buffer): boolean {
  try {
    const reader = new BerReader(received);
    return reader.readSequence(SEQUENCE) !== null && reader.remain >= reader.length;
  } catch {
    return true;
  }
}

function isYes(answer: Buffer): boolean {
  try {
    const reader = new BerReader(answer);
    const whole = reader.readSequence(SEQUENCE) !== null && reader.remain === reader.length;
    return (
      whole &&
      reader.readInt() === MESSAGE_ID &&
      reader.readSequence(EXTENDED_RESPONSE) !== null &&
      reader.readEnumeration() === 0
    );
  } catch {
    return false;
  }
}
