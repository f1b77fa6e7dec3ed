// A screen with one list of the API: filters in the address, rows that are links, more on request, and where the search ended.

import { useNavigate, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { isEmptySearch, type SearchParams } from "../data/search-params.ts";
import { useTaste } from "../data/taste.ts";
import { relayNow } from "../data/clock.ts";
import { EmptyNote } from "../ui/facts.tsx";
import { formatCount, formatTime } from "../ui/format.ts";
import { Icon } from "../ui/icon.tsx";
import { PageHead } from "../ui/page.tsx";
import { faultOf, ProblemNote } from "../ui/problem.tsx";
import { Skeleton } from "../ui/skeleton.tsx";
import { ColumnMenu, type ListColumn, useShownColumns } from "./columns.tsx";
import { FilterBar, type ListFilter } from "./filter-bar.tsx";
import { type ListState, useList } from "./list-query.ts";
import { RowTable } from "./row-table.tsx";

export interface ListScreenProps<Row extends { id: string }> {
  title: string;
  /** The path of the API, such as `/v1/events`. */
  path: string;
  columns: readonly ListColumn<Row>[];
  filters?: readonly ListFilter[];
  /** The page of a row; undefined when rows have none. */
  linkTo?: (row: Row) => string;
  actions?: ReactNode;
  /** How often the list is read again while it shows these rows. Without it, it is read again when asked. */
  refreshMs?: (rows: readonly Row[]) => number | false;
  /** Between the filters and the list. It is told the list, for what acts on it. */
  children?: (list: ListState<Row>, search: SearchParams) => ReactNode;
  /** What an empty list without filters means, and what to do. */
  empty: ReactNode;
}

export function ListScreen<Row extends { id: string }>(props: ListScreenProps<Row>) {
  const { title, path, columns, filters = [], linkTo, actions, refreshMs, children, empty } = props;
  const search: SearchParams = useSearch({ strict: false });
  const navigate = useNavigate();
  const known = Object.fromEntries(Object.entries(search).filter(([name]) => filters.some((one) => one.name === name)));
  const list = useList<Row>(path, known, refreshMs);
  const shown = useShownColumns(path, columns);
  const names = filters.map(({ name }) => name);
  return (
    <>
      <PageHead
        title={title}
        path={path}
        query={known}
        actions={
          <>
            {actions}
            <ColumnMenu list={path} columns={columns} />
            <button
              type="button"
              className="quiet square"
              onClick={list.refresh}
              aria-busy={list.isRefreshing}
              aria-label="Refresh"
              title="Refresh (r)"
            >
              <Icon name="refresh" />
            </button>
          </>
        }
      />
      {filters.length > 0 && (
        <FilterBar
          filters={filters}
          search={known}
          onChange={(next) => void navigate({ to: ".", search: next })}
          faultOf={(name) => faultOf(list.error, name)}
        />
      )}
      {children?.(list, known)}
      {list.error !== null && <ProblemNote error={list.error} onRetry={list.refresh} shownElsewhere={names} />}
      {list.rows.length > 0 && (
        <RowTable rows={list.rows} columns={shown} linkTo={linkTo} apiPath={path} label={title} />
      )}
      {list.isLoading && <Skeleton kind="rows" />}
      {!list.isLoading && list.error === null && (
        <ListEnd list={list} isFiltered={!isEmptySearch(known)} empty={empty} />
      )}
    </>
  );
}

interface ListEndProps {
  list: Pick<ListState<unknown>, "rows" | "hasMore" | "searchedTo" | "loadMore" | "isLoadingMore">;
  isFiltered: boolean;
  empty: ReactNode;
}

/** Says whether the list is at its end, or the page ended before. */
function ListEnd({ list, isFiltered, empty }: ListEndProps) {
  const { zone } = useTaste();
  const { rows, hasMore, searchedTo, loadMore, isLoadingMore } = list;
  if (rows.length === 0 && !hasMore) {
    return isFiltered ? (
      <EmptyNote title="Nothing matches.">
        <p className="muted">The whole list was searched. Change the filters, or clear them to see everything.</p>
      </EmptyNote>
    ) : (
      <div className="empty">{empty}</div>
    );
  }
  return (
    <p className="list-end row">
      <span className="muted" role="status">
        {formatCount(rows.length)} shown
        {hasMore && searchedTo !== undefined && `, searched back to ${formatTime(searchedTo, zone, relayNow())}`}
        {!hasMore && ", which is all"}
      </span>
      {hasMore && (
        <button type="button" onClick={loadMore} aria-busy={isLoadingMore} disabled={isLoadingMore} data-more>
          {rows.length === 0 ? "Search further back" : "Load more"}
        </button>
      )}
    </p>
  );
}
