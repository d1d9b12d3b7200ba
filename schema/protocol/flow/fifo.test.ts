import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { Fifo } from './fifo.ts';

test('behaves as an array does, over any sequence of verbs', () => {
  const verbs = fc.array(fc.constantFrom('push', 'push', 'push', 'shift', 'shift', 'filter', 'clear'), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(verbs, (sequence) => {
      const fifo = new Fifo<{ n: number }>();
      let model: { n: number }[] = [];
      for (const [n, verb] of sequence.entries()) {
        if (verb === 'push') {
          fifo.push({ n });
          model.push({ n });
        } else if (verb === 'shift') expect(fifo.shift()).toEqual(model.shift());
        else if (verb === 'filter') {
          fifo.filter((item) => item.n % 3 !== 0);
          model = model.filter((item) => item.n % 3 !== 0);
        } else {
          fifo.clear();
          model = [];
        }
        expect([fifo.length, fifo.first, fifo.last]).toEqual([model.length, model[0], model.at(-1)]);
      }
    }),
  );
});

test('keeps its order while its taken prefix is dropped', () => {
  const fifo = new Fifo<number>();
  for (let i = 0; i < 5000; i++) fifo.push(i);
  for (let i = 0; i < 5000; i++) {
    expect(fifo.shift()).toBe(i);
    fifo.push(i);
  }
  expect(fifo.length).toBe(5000);
});
