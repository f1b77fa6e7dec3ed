// Random choices that can be repeated: every random choice of a run follows from its seed.

export interface Random {
  /** A number from 0 up to, but not including, 1. */
  next: () => number;
  /** A whole number; both ends are included. */
  integer: (min: number, max: number) => number;
  pick: <T>(choices: readonly T[]) => T;
  /** Another sequence, from the seed and a name, so that the draws of one part do not change those of another part. */
  derive: (name: string) => Random;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32 gives the same numbers on every machine, and its 32 bits of state are enough for choices.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    integer,
    pick: (choices) => {
      const choice = choices[integer(0, choices.length - 1)];
      if (choice === undefined) throw new Error("pick() needs at least one choice");
      return choice;
    },
    derive: (name) => {
      let hash = seed;
      for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      return createRandom(hash);
    },
  };
}
