// A secret that was configured, wrapped so that it cannot be printed by accident.

import { inspect } from "node:util";

/** A value that printing, JSON and string concatenation do not reveal. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
