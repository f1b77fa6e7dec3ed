// Names where the API has ids, and ids where a person gives names.

import type { SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { type ApiObject, callEndpoint } from "./call.ts";

export type NamedKind = "target" | "source" | "key";

const PREFIXES = { target: "tgt", source: "src", key: "key" } as const;
const LISTS = { target: "listTargets", source: "listSources", key: "listKeys" } as const;
const READS = { tgt: "getTarget", src: "getSource" } as const;
const SHOWN_ID = /^(tgt|src)_[0-9a-z]{26}$/;
/** How many names are asked for at a time. */
const AT_ONCE = 8;

/** @returns the id of what a person names by its id or its name. @throws SluiceError `not_found` */
export async function findId(client: SluiceClient, kind: NamedKind, given: string): Promise<string> {
  if (new RegExp(`^${PREFIXES[kind]}_[0-9a-z]{26}$`).test(given)) return given;
  const { data } = await callEndpoint(client, LISTS[kind], { query: { name: given } });
  // A name may be used again after its key was revoked.
  const found = data.find(({ state }: ApiObject) => state !== "revoked") ?? data[0];
  if (found !== undefined) return found.id;
  throw new SluiceError("not_found", `There is no ${kind} with the name or the id ${JSON.stringify(given)}`);
}

/** Puts ids in the place of the names of targets in the filters and fields of a request. */
export async function withTargetIds(client: SluiceClient, values: object): Promise<object> {
  const given = values as { target?: string; targets?: readonly string[] | number };
  const idOf = (name: string) => findId(client, "target", name);
  return {
    ...given,
    ...(given.target !== undefined && { target: await idOf(given.target) }),
    // The targets of what waited are a number: how many have rows of their own.
    ...(Array.isArray(given.targets) && { targets: await Promise.all(given.targets.map(idOf)) }),
  };
}

export class ShownNames {
  readonly #client: SluiceClient;
  /** Undefined for an id of something that is not there. */
  readonly #names = new Map<string, string | undefined>();

  constructor(client: SluiceClient) {
    this.#client = client;
  }

  /** Asks for the names of all targets and sources in what the API answered. */
  async load(answer: unknown): Promise<void> {
    const missing = [...new Set(idsIn(answer))].filter((id) => !this.#names.has(id));
    for (let start = 0; start < missing.length; start += AT_ONCE)
      await Promise.all(missing.slice(start, start + AT_ONCE).map((id) => this.#ask(id)));
  }

  /** The name of an id; undefined for the id of something else. */
  of(id: string): string | undefined {
    return this.#names.get(id);
  }

  /** The name of an id, or the id itself. */
  or(id: string | null): string | null {
    return id === null ? null : (this.#names.get(id) ?? id);
  }

  async #ask(id: string): Promise<void> {
    const read = READS[SHOWN_ID.exec(id)?.[1] as keyof typeof READS];
    try {
      this.#names.set(id, (await callEndpoint(this.#client, read, { path: { id } })).name);
    } catch (error) {
      // Failure policy: open. An id says enough. What was deleted is not asked for again.
      if (error instanceof SluiceError && error.code === "not_found") this.#names.set(id, undefined);
    }
  }
}

function idsIn(value: unknown): string[] {
  if (typeof value === "string") return SHOWN_ID.test(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => (name === "id" || name === "payload" ? [] : idsIn(each)));
}
