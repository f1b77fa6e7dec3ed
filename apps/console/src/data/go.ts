// Where the page of any id is. An id says by its beginning what it names.

import { readPath } from "./client.ts";

const PAGES: Record<string, string> = {
  evt: "/events",
  dlv: "/deliveries",
  tgt: "/targets",
  src: "/sources",
  opr: "/operations",
  job: "/jobs",
  aud: "/audit",
};

/** The lists that show what has no page of its own. */
const LISTS: Record<string, string> = { key: "/keys", rej: "/rejections", itk: "/sources" };

export interface PageAddress {
  to: string;
  search?: Record<string, string>;
}

/**
 * The page of an id. A text that is no id of the relay is looked for among the events: a job of Gemini has its name there,
 * and a webhook its `webhook-id`.
 */
export async function findPlace(text: string): Promise<PageAddress> {
  const id = text.trim();
  const kind = /^([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}$/.exec(id)?.[1];
  if (kind === undefined)
    return { to: "/events", search: id.startsWith("msg_") ? { webhook_id: id } : { data_id: id } };
  if (kind === "att") {
    const { delivery } = await readPath<{ delivery: string }>(`/v1/attempts/${id}`);
    return { to: `/deliveries/${delivery}` };
  }
  const page = PAGES[kind];
  return { to: page === undefined ? (LISTS[kind] ?? "/") : `${page}/${id}` };
}
