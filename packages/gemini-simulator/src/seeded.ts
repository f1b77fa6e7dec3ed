// Everything random, made of a seed and a name. A draw has no state, so its value does not depend on the order in which
// requests arrive.

import { createHash } from "node:crypto";

const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";

type Name = readonly (string | number)[];

export class Seeded {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  bytes(length: number, ...name: Name): Buffer {
    const text = JSON.stringify([this.#seed, ...name]);
    return createHash("shake256", { outputLength: length }).update(text).digest();
  }

  /** A number from 0 up to, but not including, 1. */
  share(...name: Name): number {
    return this.bytes(4, ...name).readUInt32BE() / 2 ** 32;
  }

  /** Digits and small letters, as in Gemini's ids. */
  text(length: number, ...name: Name): string {
    return Array.from(this.bytes(length, ...name), (byte) => LETTERS[byte % LETTERS.length]).join("");
  }

  uuid(...name: Name): string {
    const hex = this.bytes(16, ...name).toString("hex");
    const [time, middle, low, sequence, node] = [
      [0, 8],
      [8, 12],
      [13, 16],
      [17, 20],
      [20, 32],
    ].map(([from, to]) => hex.slice(from, to));
    return `${time}-${middle}-4${low}-8${sequence}-${node}`;
  }
}
