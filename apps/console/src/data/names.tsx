// Names of sources, targets and keys where the log has their ids.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { relay } from "./client.ts";

type Kind = "sources" | "targets" | "keys";

async function readNames(kind: Kind): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  const list: AsyncIterable<Pick<Schemas["Target"], "id" | "name">> = relay.list(`/v1/${kind}`);
  for await (const { id, name } of list) names.set(id, name);
  return names;
}

/** By id. Names that are not known yet are missing. */
export function useNames(kind: Kind): ReadonlyMap<string, string> {
  const { data } = useQuery({ queryKey: ["names", kind], queryFn: () => readNames(kind), staleTime: 30_000 });
  return data ?? new Map();
}

/** A source or a target by its name, as a link to its page; its id when it is gone. */
export function NameLink({ kind, id }: { kind: "sources" | "targets"; id: string | null }) {
  const names = useNames(kind);
  if (id === null) return <span className="muted">–</span>;
  return (
    <Link to={`/${kind}/${id}`} className="inner" title={id}>
      {names.get(id) ?? id}
    </Link>
  );
}
