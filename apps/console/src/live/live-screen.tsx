// What happens now: events, attempts and changes of deliveries as the relay writes them. The list stands still while somebody
// points at it, and says what came meanwhile.

import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { EVENT_TYPES } from "../data/event-types.ts";
import { isEmptySearch, type SearchParams } from "../data/search-params.ts";
import { useNameOptions } from "../list/event-filters.ts";
import { FilterBar, type ListFilter } from "../list/filter-bar.tsx";
import { EmptyNote } from "../ui/facts.tsx";
import { formatCount } from "../ui/format.ts";
import { PageHead } from "../ui/page.tsx";
import { MOST_ROWS } from "./live-list.ts";
import { LiveTable } from "./live-table.tsx";
import { TailBadge, TailProblem, TailSentence } from "./tail-note.tsx";
import { useLiveList } from "./use-live-list.ts";

export function LiveScreen() {
  const search: SearchParams = useSearch({ strict: false });
  const navigate = useNavigate();
  const filters = useLiveFilters();
  const known = Object.fromEntries(Object.entries(search).filter(([name]) => filters.some((one) => one.name === name)));
  const [isPaused, setPaused] = useState(false);
  const [isPointedAt, setPointedAt] = useState(false);
  const isScrolled = useIsScrolled();
  const isHeld = isPaused || isPointedAt || isScrolled;
  const live = useLiveList(known, isHeld);
  const why = isPaused ? "Paused" : isPointedAt ? "Held while you are at the list" : "Held while you are further down";
  return (
    <>
      <PageHead
        title="Live"
        beside={<TailBadge status={live.status} />}
        path="/v1/tail"
        query={{ ...known, outcome: undefined }}
        actions={
          <>
            <button type="button" className="quiet" onClick={live.clear}>
              Clear the list
            </button>
            <button type="button" className="primary" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
              {isPaused ? "Go on" : "Pause"}
            </button>
          </>
        }
      />
      <FilterBar
        filters={filters}
        search={known}
        onChange={(next) => void navigate({ to: ".", search: next })}
        faultOf={(name) => (live.status.kind === "refused" ? live.status.faults?.[name] : undefined)}
      />
      <TailProblem status={live.status} hasGap={live.hasGap} onAgain={live.rejoin} />
      {/* Its height never changes, so that it moves no row. */}
      <p className="live-line">
        {isHeld ? (
          <>
            <strong>{why}</strong>
            <span>{live.held === 0 ? "nothing new" : `${formatCount(live.held)} new`}</span>
          </>
        ) : (
          <span className="muted">
            {live.rows.length === MOST_ROWS ? `The newest ${MOST_ROWS} are shown.` : "New entries appear at the top."}{" "}
            The list stands still while you point at it.
          </span>
        )}
        <span role="status">
          <TailSentence status={live.status} hasGap={live.hasGap} />
        </span>
      </p>
      {live.rows.length === 0 ? (
        <LiveEmpty isFiltered={!isEmptySearch(known)} />
      ) : (
        <div
          onPointerEnter={({ pointerType }) => setPointedAt(pointerType === "mouse")}
          onPointerLeave={() => setPointedAt(false)}
          onFocus={() => setPointedAt(true)}
          onBlur={() => setPointedAt(false)}
        >
          <LiveTable rows={live.rows} />
        </div>
      )}
    </>
  );
}

function useLiveFilters(): ListFilter[] {
  return [
    {
      name: "kind",
      label: "Kind",
      options: [
        { value: "event", label: "events" },
        { value: "attempt", label: "attempts" },
        { value: "delivery", label: "changes of deliveries" },
      ],
      isFirst: true,
    },
    {
      name: "outcome",
      label: "Only",
      options: [
        { value: "bad", label: "what failed" },
        { value: "good", label: "what did not fail" },
      ],
      isFirst: true,
    },
    { name: "event_type", label: "Event type", placeholder: "batch.*", proposals: EVENT_TYPES, isFirst: true },
    { name: "target", label: "Target", options: useNameOptions("targets"), isFirst: true },
    { name: "source", label: "Source", options: useNameOptions("sources"), isFirst: true },
    { name: "data_id", label: "Job", placeholder: "batches/…" },
    { name: "label", label: "Labels", placeholder: "team:billing", isMany: true },
    { name: "user_metadata", label: "User metadata", placeholder: "key=value", isMany: true },
    { name: "webhook_id", label: "webhook-id", placeholder: "msg_…" },
    { name: "event", label: "Event", placeholder: "evt_…" },
    { name: "status_code", label: "Answer", placeholder: "500, 4xx or none", isMany: true },
    { name: "error", label: "Error has", placeholder: "ECONNREFUSED" },
    { name: "min_attempts", label: "Attempts, at least", placeholder: "3" },
  ];
}

function LiveEmpty({ isFiltered }: { isFiltered: boolean }) {
  return isFiltered ? (
    <EmptyNote title="Nothing that matches has happened since you opened this page.">
      <p className="muted">It appears here as it happens. Change or clear the filters to see more.</p>
    </EmptyNote>
  ) : (
    <EmptyNote title="Nothing has happened since you opened this page.">
      <p className="muted">
        Send an example with <code>sluice trigger batch.succeeded</code>, and see it come.
      </p>
    </EmptyNote>
  );
}

/** Below the first rows, new ones would push away what is read. */
const SCROLLED_PX = 160;

function useIsScrolled(): boolean {
  const [isScrolled, setScrolled] = useState(false);
  useEffect(() => {
    const look = () => setScrolled(scrollY > SCROLLED_PX);
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  return isScrolled;
}
