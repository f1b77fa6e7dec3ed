// Wraps a configured secret, so that no code prints it by accident.

import { inspect } from "node:util";

/** Holds a value that `console.log`, JSON and string concatenation show as `[secret]`. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself. Pass it only to the code that needs it. */
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
