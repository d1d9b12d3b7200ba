import { describeError, log } from '../../log.ts';
import { LOOK_AFTER_MS } from '../limits.ts';

/** The client of one request. */
export interface Client {
  /** Aborts when the client goes away. To ask for it makes an object of the platform's, and a listener another. */
  readonly signal: AbortSignal;
  /** Asks to be told, within {@link LOOK_AFTER_MS}, that the client has gone. */
  whenGone(tell: () => void): Departure;
}

/** The asking. */
export interface Departure {
  /** From now on it is told at once: an answer that is not whole may last for hours, and one that ends before the look is still to be taken. */
  atOnce(): void;
  /** Ends the asking. */
  end(): void;
}

/** Somebody who is to be told. */
interface Watch {
  readonly request: Pick<Request, 'signal'>;
  readonly tell: () => void;
  listening: boolean;
}

/**
 * Tells who waits for an answer that its client has gone. Nearly all requests are answered before anybody would go, and their signals are never asked for: that would cost a small
 * request a twentieth of its time in the plane.
 */
export class Departures {
  readonly #fresh = new Set<Watch>();
  #looking = false;

  /** @param sending the client is still sending: its departure must be heard of before the end of what it sent, which then looks whole */
  client(request: Pick<Request, 'signal'>, sending: boolean): Client {
    return {
      get signal() {
        return request.signal;
      },
      whenGone: (tell) => this.#watch({ request, tell, listening: false }, sending),
    };
  }

  #watch(watch: Watch, atOnce: boolean): Departure {
    if (atOnce) listen(watch);
    else this.#fresh.add(watch);
    if (!atOnce && !this.#looking) {
      this.#looking = true;
      // Not ended with the last who waits: one timer serves all that come meanwhile, and it is over long before an object would sleep.
      setTimeout(() => this.#look(), LOOK_AFTER_MS);
    }
    return {
      atOnce: () => {
        if (this.#fresh.delete(watch)) listen(watch);
      },
      end: () => {
        this.#fresh.delete(watch);
        if (watch.listening) watch.request.signal.removeEventListener('abort', watch.tell);
      },
    };
  }

  #look(): void {
    this.#looking = false;
    // Each leaves first: the telling of one may end the asking of others, which then are not here any more.
    for (const watch of this.#fresh) {
      this.#fresh.delete(watch);
      try {
        listen(watch);
      } catch (error) {
        // One that fails must not leave the others unwatched.
        log('error', 'the end of a request failed', { error: describeError(error) });
      }
    }
  }
}

function listen(watch: Watch): void {
  const { signal } = watch.request;
  if (signal.aborted) watch.tell();
  else {
    watch.listening = true;
    signal.addEventListener('abort', watch.tell);
  }
}
