import { expect, test } from 'vitest';
import { SEED, share } from './play/budget.ts';
import { playCase } from './play/case.ts';
import { report } from './play/report.ts';

test.each(['plane', 'agent'] as const)(
  'random and mutated frames find no fault in a session of the %s',
  (role) => {
    const frames = share(0.435);
    const memory: Uint8Array<ArrayBuffer>[] = [];
    const ends = new Map<string, number>();
    for (let taken = 0, i = 0; taken < frames; i++) {
      const played = playCase(role, SEED + i, memory);
      taken += played.frames;
      if (played.fault !== null) expect.fail(report(played, `OUTRIDER_FUZZ_SEED=${SEED}, case ${i}`));
      ends.set(played.end, (ends.get(played.end) ?? 0) + 1);
    }
    console.log(role, Object.fromEntries(ends));
    // It is noise of many kinds, not one breach over and over.
    expect([...ends.keys()]).toEqual(
      expect.arrayContaining(['none', 'PROTOCOL_ERROR', 'UNKNOWN_FRAME', 'FLOW_CONTROL']),
    );
  },
  600_000,
);
