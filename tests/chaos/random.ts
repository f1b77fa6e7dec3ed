// Chance that can be had again: everything that a run leaves to chance comes from its seed.

export interface Random {
  /** From [0, 1). */
  next: () => number;
  /** A whole number, both ends included. */
  integer: (min: number, max: number) => number;
  pick: <T>(choices: readonly T[]) => T;
  /** Another sequence, made of the seed and a name: what one part draws does not shift what another part gets. */
  derive: (name: string) => Random;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32: 32 bits of state are plenty for choices, and it is the same on every machine.
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
      if (choice === undefined) throw new Error("There is nothing to pick from");
      return choice;
    },
    derive: (name) => {
      let hash = seed;
      for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      return createRandom(hash);
    },
  };
}
