import { z } from 'zod';
import type { Params, Scenario } from '../rows/row.ts';
import { Program } from './program.ts';

/** Where requests go, as whom, and by which CA the server is known. */
export interface Target {
  /** https, perhaps with a path before those of the scenarios. */
  readonly url: string;
  /** Path of a PEM file. */
  readonly ca: string;
  /** Path of a file with a bearer token. */
  readonly tokenFile: string;
}

/** Figures of one command by name. */
export type Metrics = Readonly<Record<string, number>>;

const Answer = z.union([
  z.object({ id: z.int(), metrics: z.record(z.string(), z.number()) }),
  z.object({ id: z.int(), error: z.string() }),
]);

/** The longest command moves 500 MB at some 10 MB/s; past this something hangs. */
const COMMAND_WITHIN_MS = 90_000;

/** The one client program of a run: commands one after another. */
export class Load {
  readonly #binary: string;
  readonly #dir: string;
  #program: Program | null = null;
  #id = 0;

  constructor(binary: string, dir: string) {
    this.#binary = binary;
    this.#dir = dir;
  }

  /** @throws Error with what the program says: a wrong answer is no figure. */
  async run(
    scenario: Scenario | 'hold' | 'slow' | 'release',
    target: Target,
    params: Params | { readonly writer: Target; readonly [name: string]: number | string | Target } = {},
  ): Promise<Metrics> {
    this.#program ??= await Program.start('load', [this.#binary], this.#dir);
    const id = ++this.#id;
    this.#program.send(JSON.stringify({ id, scenario, target, params }));
    let answer;
    try {
      answer = await this.#program.answer(Answer, COMMAND_WITHIN_MS);
    } catch (error) {
      // Begun anew, so that one path's failure costs its own figure and no other.
      await this.stop();
      throw error;
    }
    if (answer.id !== id) throw new Error(`the load program answered ${answer.id} when asked ${id}`);
    if ('error' in answer) throw new Error(answer.error);
    return answer.metrics;
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#program = null;
    await program?.stop();
  }
}
