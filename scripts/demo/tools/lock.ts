import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

/**
 * A lock between processes of one machine: an abstract Unix socket (unix(7)), which exists exactly as long as the
 * process that listens on it. A crash therefore never leaves a stale lock, and a waiter is told of the release by the
 * end of its connection rather than by polling. Linux only, as is everything in this folder.
 */
export type Lock = {
  /** Gives the lock up; waiters are woken. */
  release(): Promise<void>;
};

/** Takes the lock called `name` if it is free; `undefined` when another process has it. */
export async function tryLock(name: string): Promise<Lock | undefined> {
  const waiters = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    waiters.add(socket);
    socket.unref();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => waiters.delete(socket));
  });
  if (!(await listen(server, socketName(name)))) return undefined;
  server.unref();
  return {
    release: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of waiters) socket.destroy();
      }),
  };
}

/** Takes the lock called `name`, waiting for its holder; `onWait` is called once if there is one. */
export async function lock(name: string, onWait: () => void = () => {}): Promise<Lock> {
  for (let waited = false; ; waited = true) {
    const held = await tryLock(name);
    if (held) return held;
    if (!waited) onWait();
    await holderGone(socketName(name));
  }
}

/** The leading NUL puts the name in the abstract namespace; the hash keeps any name within its 107 octets. */
function socketName(name: string): string {
  return `\0outrider-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

function listen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(path, () => resolve(true));
  });
}

function holderGone(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.resume();
  });
}
