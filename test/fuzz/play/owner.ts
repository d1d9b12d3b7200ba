import { ProtocolCode } from '#schema/protocol/codec/codes.ts';
import { Flag } from '#schema/protocol/codec/frame.ts';
import { MAX_VIEW_RATIO, STREAM_QUEUE_HIGH } from '#schema/protocol/limits.ts';
import type { Stream, StreamHandler } from '#schema/protocol/flow/stream.ts';
import { fault, type Heard, type Line } from '../judge/seen.ts';
import type { Op, Subject } from './subject.ts';
import { zeros } from '../make/zeros.ts';

/** What an owner does as soon as it hears of something. */
export const HABITS = [
  'hold',
  'hold',
  'consume',
  'consume',
  'echo',
  'finish',
  'reset on data',
  'reset on end',
  'throw',
] as const;
type Habit = (typeof HABITS)[number];

/** The owner of a stream: does what it is told, and what its habit is. */
export class Owner implements StreamHandler {
  readonly #subject: Subject;
  stream: Stream | null = null;
  line: Line | null = null;
  habit: Habit;
  held = 0;
  /** How often it heard or said that its stream is gone. */
  resets = 0;
  waiting = false;
  /** Our half is ending. */
  ending = false;
  #headed = false;
  #threw = false;

  constructor(subject: Subject, habit: Habit) {
    this.#subject = subject;
    this.habit = habit;
  }

  get sequence(): number {
    return this.stream?.sequence ?? 0;
  }

  /** How often its stream was over: one is right. */
  get ends(): number {
    return this.resets > 0 ? this.resets : Number(this.line?.finIn === true && this.line.finOut);
  }

  onAccept(): void {
    this.#hears('accept');
  }
  onHead(head: Uint8Array): void {
    this.#hears('head', head.byteLength);
    this.reflex('head');
  }
  onData(data: Uint8Array): void {
    this.#hears('data', data.byteLength);
    this.held += data.byteLength;
    const kept = data.buffer.byteLength;
    if (kept > data.byteLength * MAX_VIEW_RATIO) {
      this.#subject.judged(() => fault(`${data.byteLength} octets of DATA keep ${kept} in memory`));
    }
    this.reflex('data');
  }
  onEnd(): void {
    this.#hears('end');
    this.reflex('end');
  }
  onReset(code: number): void {
    if (!this.#threw) this.#subject.hears('reset', this.sequence, 0, code === ProtocolCode.TUNNEL_LOST);
    this.#threw = false;
    this.held = 0;
    this.resets++;
  }
  onWritable(): void {
    this.waiting = false;
  }
  onStalled(): void {
    if (this.line !== null && this.line.finIn && this.line.finOut) {
      this.#subject.referee.consumed(this.line, this.held);
      this.held = 0;
      return;
    }
    this.resets++;
    this.#reset();
  }

  /** Does what an op says, as far as an honest owner may. */
  act(op: Extract<Op, { sequence: number }>): void {
    const { stream } = this;
    if (stream === null) return;
    const answers = this.#subject.referee.role === 'agent';
    switch (op.op) {
      case 'consume': {
        const bytes = Math.min(op.size, this.held);
        this.held -= bytes;
        if (this.line !== null) this.#subject.referee.consumed(this.line, bytes);
        stream.consumed(bytes);
        return;
      }
      case 'accept':
        if (answers && !this.#over) stream.accept();
        return;
      case 'head':
        if (!answers || this.#headed || this.#over) return;
        this.#headed = true;
        stream.head(zeros(3 + op.size), op.flags === Flag.FIN);
        this.ending ||= op.flags === Flag.FIN;
        return;
      case 'write':
        if ((answers && !this.#headed) || this.#over || this.ending || this.waiting) return;
        this.waiting = !stream.write(zeros(op.size), op.flags & ~Flag.FIN);
        if (stream.queued > STREAM_QUEUE_HIGH + op.size + 1024 * 1024) fault(`${stream.queued} octets queued`);
        return;
      case 'end':
        if ((answers && !this.#headed) || this.#over || this.ending) return;
        this.ending = true;
        stream.end(zeros(op.size < 2 ? 0 : Math.min(op.size, 125)));
        return;
      case 'reset':
        if (this.#over) return;
        this.resets++;
        this.#reset();
        stream.reset(ProtocolCode.CANCELLED, 'no longer wanted');
        return;
      default:
    }
  }

  reflex(on: 'open' | 'head' | 'data' | 'end'): void {
    const { habit, sequence } = this;
    const size = this.held;
    const op = { sequence, size, flags: 0 };
    if (on === 'end' && habit === 'finish') {
      this.act({ ...op, op: 'head' });
      this.act({ ...op, op: 'end', size: 0 });
    }
    if ((on === 'data' && habit === 'reset on data') || (on === 'end' && habit === 'reset on end')) {
      this.act({ op: 'reset', sequence });
    }
    if (on !== 'data') return;
    if (habit === 'throw' && !this.#over) {
      this.#threw = true;
      this.#reset();
      throw new Error('a fault of an owner');
    }
    if (habit === 'echo') this.act({ ...op, op: 'write' });
    if (habit === 'consume' || habit === 'echo' || habit === 'finish') this.act({ ...op, op: 'consume' });
  }

  get #over(): boolean {
    return this.stream?.done !== false;
  }

  #hears(heard: Heard, bytes = 0): void {
    this.#subject.hears(heard, this.sequence, bytes);
    if (this.resets > 0)
      this.#subject.judged(() => fault(`the owner of ${this.sequence} heard ${heard} after its end`));
  }

  #reset(): void {
    this.#subject.referee.reset(this.sequence);
    this.held = 0;
  }
}
