import { describe, expect, it } from 'vitest';
import { growth, median, rotated } from './statistics.ts';

describe('median', () => {
  it('is the middle of an odd number of values, whatever their order', () => {
    expect(median([30, 1, 2])).toBe(2);
  });
  it('is the mean of the two in the middle of an even number', () => {
    expect(median([4, 1, 100, 2])).toBe(3);
  });
  it('is not moved by one wild round', () => {
    expect(median([1, 1.1, 1.2, 900, 1.05])).toBe(1.1);
  });
  it('does not reorder what it is given', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
  it('does not make a figure of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('rotated', () => {
  it('lets every item go first once in as many rounds as there are items', () => {
    const items = ['a', 'b', 'c'];
    expect([0, 1, 2, 3].map((round) => rotated(items, round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });
  it('keeps nothing as nothing', () => {
    expect(rotated([], 2)).toEqual([]);
  });
});

describe('growth', () => {
  it('leaves out how memory settles at first', () => {
    expect(growth([10, 40, 70, 100, 100, 100, 100, 100, 100])).toBe(0);
  });
  it('shows a series that rises to its end', () => {
    expect(growth([50, 50, 50, 100, 100, 100, 150, 150, 150])).toBeCloseTo(50);
  });
  it('is negative where memory was given back', () => {
    expect(growth([1, 1, 100, 100, 80, 80])).toBeCloseTo(-20);
  });
  it('is not moved by one sample', () => {
    expect(growth([9, 9, 9, 100, 400, 100, 100, 100, 3])).toBe(0);
  });
  it('wants enough values to tell growth from noise', () => {
    expect(() => growth([1, 2, 3, 4, 5])).toThrow(RangeError);
  });
});
