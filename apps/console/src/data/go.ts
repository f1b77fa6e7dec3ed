// Where the page of any id is. An id says by its beginning what it names.

import type { Schemas } from "@sluice/client/client";

import { readPath, relay } from "./client.ts";

const PAGES: Record<string, string> = {
  evt: "/events",
  dlv: "/deliveries",
  tgt: "/targets",
  src: "/sources",
  rej: "/rejections",
  opr: "/operations",
  job: "/jobs",
  aud: "/audit",
  key: "/keys",
};

export interface PageAddress {
  to: string;
  search?: Record<string, string>;
}

/** The page of an id of the relay, of a job of Gemini, or of a webhook. */
export async function findPlace(text: string): Promise<PageAddress> {
  const id = text.trim();
  const kind = /^([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}$/.exec(id)?.[1];
  if (kind === undefined) return findByName(id);
  if (kind === "att") {
    const { delivery } = await readPath<{ delivery: string }>(`/v1/attempts/${id}`);
    return { to: `/deliveries/${delivery}` };
  }
  if (kind === "itk") return findTokenHolder(id);
  const page = PAGES[kind];
  return { to: page === undefined ? "/" : `${page}/${id}` };
}

/** A job has no event before its webhook came, and a webhook that was refused has none at all. */
async function findByName(text: string): Promise<PageAddress> {
  // An event that was set aside has its place in a store of the queue.
  if (/^(?:redis|postgres)-./.test(text)) return { to: `/set-aside/${text}` };
  if (text.startsWith("msg_")) {
    const search = { webhook_id: text };
    const isRefused = !(await hasMatch("/v1/events", search)) && (await hasMatch("/v1/rejections", search));
    return { to: isRefused ? "/rejections" : "/events", search };
  }
  const search = { data_id: text };
  if (await hasMatch("/v1/events", search)) return { to: "/events", search };
  const [job] = (await readPath<Schemas["JobPage"]>("/v1/jobs", { name: text, limit: "1" })).data;
  return job === undefined ? { to: "/events", search } : { to: `/jobs/${job.id}` };
}

const hasMatch = async (path: string, query: object): Promise<boolean> =>
  (await readPath<{ data: unknown[] }>(path, { ...query, limit: "1" })).data.length > 0;

async function findTokenHolder(token: string): Promise<PageAddress> {
  for await (const { id, ingress_tokens: tokens } of relay.list("/v1/sources"))
    if (tokens.some((one) => one.id === token)) return { to: `/sources/${id}` };
  return { to: "/sources" };
}
