// The live list of this tab: it joins the tail of the browser while the screen is shown.

import { useCallback, useEffect, useRef, useState } from "react";

import type { SearchParams } from "../data/search-params.ts";
import { joinTail } from "./join-tail.ts";
import { LiveList, type LiveView } from "./live-list.ts";
import { relayPart } from "./tail-row.ts";
import type { TailStatus } from "./tail-hub.ts";

interface SharedTail extends LiveView {
  status: TailStatus;
  /** Whether the relay no longer knew where the tail was, so that entries are missing. */
  hasGap: boolean;
  clear: () => void;
  rejoin: () => void;
}

export function useLiveList(search: SearchParams, isHeld: boolean): SharedTail {
  const [view, setView] = useState<LiveView>({ rows: [], held: 0 });
  const [list] = useState(() => new LiveList(setView));
  const [status, setStatus] = useState<TailStatus>({ kind: "connecting" });
  const [hasGap, setGap] = useState(false);
  const filters = JSON.stringify(search);
  useEffect(() => list.filter(JSON.parse(filters) as SearchParams), [list, filters]);
  useEffect(() => list.hold(isHeld), [list, isHeld]);
  const leave = useRef<() => void>(undefined);
  const query = JSON.stringify(relayPart(search));
  const join = useCallback(() => {
    leave.current?.();
    leave.current = joinTail(JSON.parse(query) as SearchParams, (message) => {
      if (message.kind === "rows") list.add(message.rows);
      else if (message.kind === "status") setStatus(message.status);
      else setGap(true);
    });
  }, [list, query]);
  useEffect(() => {
    // What the relay let through before is not what it lets through now.
    list.clear();
    join();
    // A page that comes back by Back, as it was left, has lost the tail meanwhile.
    const onShow = ({ persisted }: PageTransitionEvent) => {
      if (persisted) join();
    };
    addEventListener("pageshow", onShow);
    return () => {
      removeEventListener("pageshow", onShow);
      leave.current?.();
    };
  }, [join, list]);
  return { ...view, status, hasGap, clear: () => list.clear(), rejoin: join };
}
