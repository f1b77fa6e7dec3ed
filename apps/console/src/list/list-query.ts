// A list of the API, page by page. Relative times are resolved once, for the first page: a cursor belongs to its filters.

import { useInfiniteQuery } from "@tanstack/react-query";

import { readPath } from "../data/client.ts";
import type { SearchParams } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";

interface ListPage<Row> {
  data: Row[];
  next_cursor: string | null;
  /** How far back the relay searched for this page; lists that are not searched have none. */
  searched_to?: string | null;
  /** The query of the first page, with its times resolved. */
  query: SearchParams;
}

interface PagePlace {
  cursor: string;
  query: SearchParams;
}

const PAGE_SIZE = "50";

export interface ListState<Row> {
  rows: Row[];
  isLoading: boolean;
  isRefreshing: boolean;
  error: Error | null;
  hasMore: boolean;
  /** How far back the list was searched; undefined at its end. */
  searchedTo: string | undefined;
  loadMore: () => void;
  isLoadingMore: boolean;
  refresh: () => void;
}

/** @param query the filters as the address has them. */
export function useList<Row>(
  path: string,
  query: SearchParams,
  refreshMs?: (rows: readonly Row[]) => number | false,
): ListState<Row> {
  const result = useInfiniteQuery({
    queryKey: ["list", path, query],
    initialPageParam: undefined as PagePlace | undefined,
    queryFn: async ({ pageParam, signal }): Promise<ListPage<Row>> => {
      const resolved = pageParam?.query ?? resolveTimes(query);
      const asked = { limit: PAGE_SIZE, ...resolved, ...(pageParam && { cursor: pageParam.cursor }) };
      return { ...(await readPath<Omit<ListPage<Row>, "query">>(path, asked, signal)), query: resolved };
    },
    getNextPageParam: (page): PagePlace | undefined =>
      page.next_cursor === null ? undefined : { cursor: page.next_cursor, query: page.query },
    refetchInterval: ({ state }) => refreshMs?.(state.data?.pages.flatMap(({ data }) => data) ?? []) ?? false,
  });
  const last = result.data?.pages.at(-1);
  return {
    rows: result.data?.pages.flatMap(({ data }) => data) ?? [],
    isLoading: result.isPending,
    isRefreshing: result.isRefetching,
    error: result.error,
    hasMore: result.hasNextPage,
    searchedTo: last?.searched_to ?? undefined,
    loadMore: () => void result.fetchNextPage(),
    isLoadingMore: result.isFetchingNextPage,
    refresh: () => void result.refetch(),
  };
}
