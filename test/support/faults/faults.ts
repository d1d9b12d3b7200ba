import { setTimeout as sleep } from 'node:timers/promises';
import type { Hops, Leg } from '../hops.ts';
import { GOOD } from './pipe.ts';
import { Relay } from './relay.ts';
import { lasts, type NetworkFault, type ProcessFault, type Schedule, type Step } from './schedule.ts';

/** What a schedule may do to processes. Each resolves when it is done. */
export interface Processes {
  killPlane(): Promise<void>;
  startPlane(): Promise<void>;
  killAgent(): Promise<void>;
  startAgent(): Promise<void>;
  stopAgent(): void;
  continueAgent(): void;
}

/** A relay on each leg of a world. */
export class FaultHops {
  readonly #relays = new Map<Leg, Relay>();

  /** For {@link WorldOptions.hops}. */
  readonly hops: Hops = async (leg, target) => {
    const relay = await Relay.start(target);
    this.#relays.set(leg, relay);
    return relay.url;
  };

  relay(leg: Leg): Relay {
    const relay = this.#relays.get(leg);
    if (relay === undefined) throw new Error(`the world has no ${leg} leg yet`);
    return relay;
  }

  async stop(): Promise<void> {
    for (const relay of this.#relays.values()) await relay.stop();
  }

  async heal(): Promise<void> {
    for (const relay of this.#relays.values()) await relay.heal();
  }
}

/** Carries a schedule out; resolves when all is well again. */
export async function carryOut(schedule: Schedule, hops: FaultHops, processes: Processes): Promise<void> {
  const began = performance.now();
  await Promise.all(
    schedule.steps.map(async (step) => {
      await sleep(began + step.atMs - performance.now());
      await perform(step, hops, processes);
    }),
  );
  await hops.heal();
}

async function perform(step: Step, hops: FaultHops, processes: Processes): Promise<void> {
  if (step.leg === null) await onProcess(step.fault, processes);
  else await onRelay(step.fault, hops.relay(step.leg));
}

async function onProcess(fault: ProcessFault, processes: Processes): Promise<void> {
  switch (fault.kind) {
    case 'plane-killed':
      await processes.killPlane();
      await sleep(fault.forMs);
      await processes.startPlane();
      return;
    case 'agent-killed':
      await processes.killAgent();
      await sleep(fault.forMs);
      await processes.startAgent();
      return;
    case 'agent-stopped':
      processes.stopAgent();
      await sleep(fault.forMs);
      processes.continueAgent();
  }
}

async function onRelay(fault: NetworkFault, relay: Relay): Promise<void> {
  switch (fault.kind) {
    case 'delay':
      relay.set({ delayMs: fault.ms });
      break;
    case 'throttle':
      relay.set({ bytesPerSecond: fault.bytesPerSecond });
      break;
    case 'slice':
      relay.set({ sliceBytes: fault.bytes });
      break;
    case 'silent':
      relay.set({ silent: true }, fault.directions);
      break;
    case 'lose':
      relay.set({ silent: true }, [fault.direction]);
      break;
    case 'hold':
    case 'refuse':
      await relay.setDoor(fault.kind);
      break;
    case 'cut':
      relay.cut(fault.how);
      return;
    case 'cut-at':
      relay.cutAt(fault.direction, fault);
      return;
    case 'orphan':
      relay.orphan(fault.side);
      return;
    case 'duplicate-dial':
      relay.duplicateNext();
      relay.cut('rst');
      return;
  }
  await sleep(lasts(fault));
  await undo(fault, relay);
}

/** Two faults of one kind may meet; the first that ends, ends both. */
async function undo({ kind }: NetworkFault, relay: Relay): Promise<void> {
  if (kind === 'lose') relay.cut('rst');
  if (kind === 'delay') relay.set({ delayMs: GOOD.delayMs });
  if (kind === 'throttle') relay.set({ bytesPerSecond: GOOD.bytesPerSecond });
  if (kind === 'slice') relay.set({ sliceBytes: GOOD.sliceBytes });
  if (kind === 'silent' || kind === 'lose') relay.set({ silent: false });
  if (kind === 'hold' || kind === 'refuse') await relay.setDoor('open');
}
