import type { Socket } from 'node:net';
import { noStartTls, StartTlsAnswer, startTlsRequest } from '#ldap/starttls.ts';

/**
 * Asks for TLS on a fresh connection, and takes one answer.
 * @throws DirectoryFailure untrusted, when the server does not want to or says more than that.
 */
export async function startTls(socket: Socket, server: string): Promise<void> {
  const answer = new StartTlsAnswer(server);
  await new Promise<void>((resolve, reject) => {
    const done = (settle: () => void): void => {
      socket.pause();
      socket.off('data', onData).off('error', onError).off('close', onClose);
      settle();
    };
    const onData = (chunk: Buffer): void => {
      const said = answer.add(chunk);
      if (said instanceof Error) done(() => reject(said));
      else if (said) done(resolve);
    };
    const onError = (error: Error): void => done(() => reject(error));
    const onClose = (): void => done(() => reject(noStartTls(server, 'it closed the connection')));
    socket.on('data', onData).on('error', onError).on('close', onClose);
    socket.write(startTlsRequest());
  });
}
