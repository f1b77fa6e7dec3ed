// Names of sources, targets and keys where the log has their ids.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { relay } from "./client.ts";

type Kind = "sources" | "targets" | "keys";

/** What is kept of each; a source has no state and no health. */
interface NamedResource {
  id: string;
  name: string;
  state?: string | undefined;
  health?: Schemas["TargetHealth"] | undefined;
}

async function readNamed(kind: Kind): Promise<Map<string, NamedResource>> {
  const named = new Map<string, NamedResource>();
  const list: AsyncIterable<NamedResource> = relay.list(`/v1/${kind}`);
  for await (const { id, name, state, health } of list) {
    named.set(id, { id, name, ...(state && { state }), ...(health && { health }) });
  }
  return named;
}

function useNamed(kind: Kind): ReadonlyMap<string, NamedResource> {
  const { data } = useQuery({ queryKey: ["names", kind], queryFn: () => readNamed(kind), staleTime: 30_000 });
  return data ?? new Map();
}

/** All targets that the session may see, by name. */
export const useTargetRows = (): readonly NamedResource[] =>
  [...useNamed("targets").values()].toSorted((one, other) => one.name.localeCompare(other.name));

/** By id. Names that are not known yet are missing. */
export function useNames(kind: Kind): ReadonlyMap<string, string> {
  return new Map([...useNamed(kind).values()].map(({ id, name }) => [id, name]));
}

/** Why a target takes no deliveries that are due; undefined when it takes them. */
export function useHold(target: string): string | undefined {
  const { state = "enabled", health } = useNamed("targets").get(target) ?? {};
  if (state === "paused") return "held: paused";
  if (state !== "enabled") return "held: disabled";
  return health === undefined || health.breaker === "closed" ? undefined : "held: breaker open";
}

/** The sources of what the relay itself makes: tests, and what it tells operators. They have no page and are in no list. */
const OWN_SOURCE = /^src_0{10}e0080{11}[01]$/;
const OWN_SOURCE_NAME = "the relay";

export const nameOfSource = (id: string, names: ReadonlyMap<string, string>): string =>
  OWN_SOURCE.test(id) ? OWN_SOURCE_NAME : (names.get(id) ?? id);

/** A source or a target by its name, as a link to its page; its id when it is gone. */
export function NameLink({ kind, id }: { kind: "sources" | "targets"; id: string | null }) {
  const names = useNames(kind);
  if (id === null) return <span className="muted">–</span>;
  if (OWN_SOURCE.test(id)) return <span className="muted">{OWN_SOURCE_NAME}</span>;
  const name = names.get(id) ?? id;
  return (
    <Link to={`/${kind}/${id}`} className="inner name" title={name}>
      {name}
    </Link>
  );
}
