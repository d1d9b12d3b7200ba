import type { Socket } from 'node:net';
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

/**
 * Asks for TLS on a fresh connection. Done here and not by the LDAP library: whatever comes in the clear behind the answer was put there by somebody on the way, and
 * would be read as if TLS had protected it (the flaw of CVE-2011-0411). So one answer is taken, and nothing behind it.
 *
 * @throws DirectoryFailure untrusted, when the server does not want to or says more than that.
 */
export async function startTls(socket: Socket, server: string): Promise<void> {
  const answer = await new Promise<Buffer>((resolve, reject) => {
    let received = Buffer.alloc(0);
    const done = (settle: () => void): void => {
      socket.pause();
      socket.off('data', onData).off('error', onError).off('close', onClose);
      settle();
    };
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.byteLength > MAX_RESPONSE_BYTES) done(() => reject(untrusted(server, 'no LDAP came back')));
      else if (isWhole(received)) done(() => resolve(received));
    };
    const onError = (error: Error): void => done(() => reject(error));
    const onClose = (): void => done(() => reject(untrusted(server, 'it closed the connection')));
    socket.on('data', onData).on('error', onError).on('close', onClose);
    socket.write(request());
  });
  judge(answer, server);
}

const untrusted = (server: string, why: string): DirectoryFailure =>
  new DirectoryFailure('untrusted', `${server}: StartTLS failed: ${why}`, true);

function request(): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(MESSAGE_ID);
  writer.startSequence(EXTENDED_REQUEST);
  writer.writeString(START_TLS, REQUEST_NAME);
  writer.endSequence();
  writer.endSequence();
  return writer.buffer;
}

/** A whole message, or something that can never be one: {@link judge} says which. */
function isWhole(received: Buffer): boolean {
  try {
    const reader = new BerReader(received);
    return reader.readSequence(SEQUENCE) !== null && reader.remain >= reader.length;
  } catch {
    return true;
  }
}

function judge(answer: Buffer, server: string): void {
  let fine = false;
  try {
    const reader = new BerReader(answer);
    const whole = reader.readSequence(SEQUENCE) !== null && reader.remain === reader.length;
    fine =
      whole &&
      reader.readInt() === MESSAGE_ID &&
      reader.readSequence(EXTENDED_RESPONSE) !== null &&
      reader.readEnumeration() === 0;
  } catch {
    fine = false;
  }
  if (!fine) throw untrusted(server, 'it refuses, or said more than its answer');
}
