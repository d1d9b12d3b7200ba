import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { CONNECT_MS, type Target } from '#ldap/socket.ts';
import { connectFailure } from './failure.ts';
import { startTls } from './starttls.ts';

/**
 * A connection to a directory, under TLS whatever the configuration: the certificate has to be of the given authority and for the name that was dialled.
 * @throws DirectoryFailure
 */
export async function connectDirectory(host: string, target: Target, signal: AbortSignal): Promise<TLSSocket> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  const sockets: Socket[] = [];
  const give = (): void => sockets.forEach((socket) => socket.destroy());
  const keep = <S extends Socket>(socket: S): S => {
    sockets.push(socket);
    // An error that comes when nobody listens any more would end the agent.
    return socket.on('error', () => undefined);
  };
  within.addEventListener('abort', give, { once: true });
  try {
    const plain = target.security === 'starttls' ? keep(connectTcp({ host, port: target.port })) : null;
    if (plain !== null) {
      await once(plain, 'connect', { signal: within });
      await startTls(plain, host);
    }
    const secure = keep(
      connectTls({
        host,
        port: target.port,
        minVersion: 'TLSv1.2',
        ...(plain === null ? {} : { socket: plain }),
        ...(target.ca === null ? {} : { ca: target.ca }),
        // Server names are names (RFC 6066 §3); an address is looked for in the certificate all the same.
        ...(isIP(host) === 0 ? { servername: host } : {}),
      }),
    );
    await once(secure, 'secureConnect', { signal: within });
    return secure;
  } catch (error) {
    give();
    throw connectFailure(within.aborted ? new Error('it does not answer') : error, host);
  } finally {
    within.removeEventListener('abort', give);
  }
}
