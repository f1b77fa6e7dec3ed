// The head of a page: its title, what can be done, and which path of the API it shows.

import { type ReactNode, useEffect } from "react";

import { stringifySearch } from "../data/search-params.ts";
import { resolveTimes } from "../data/time-range.ts";

interface PageHeadProps {
  title: string;
  /** Beside the title: a state, an id. */
  beside?: ReactNode;
  actions?: ReactNode;
  /** What the page shows, for "copy as curl". */
  path?: string;
  query?: Record<string, unknown>;
  /** The id of what the page shows, for "copy the id". */
  id?: string;
}

export function PageHead({ title, beside, actions, path, query = {}, id }: PageHeadProps) {
  useEffect(() => {
    document.title = `${title} · Sluice`;
  }, [title]);
  return (
    <header className="page-head" data-page-id={id} data-page-api={path && path + stringifySearch(resolveTimes(query))}>
      <div className="title">
        <h1>{title}</h1>
        {beside}
      </div>
      {actions !== undefined && <div className="row">{actions}</div>}
    </header>
  );
}
