// The payload of an event: as JSON, and as the bytes that arrived. All of it is text here, never markup.

import { useQuery } from "@tanstack/react-query";

import { type BodyText, readBodyText } from "../data/body-text.ts";
import { relay } from "../data/client.ts";
import type { ShownEvent } from "../data/records.ts";
import { CopyButton } from "../ui/copy.tsx";
import { JsonView, LongText } from "../ui/json-view.tsx";
import { formatBytes } from "../ui/format.ts";
import { ProblemNote } from "../ui/problem.tsx";
import { Tabs } from "../ui/tabs.tsx";

export function EventPayload({ event }: { event: ShownEvent }) {
  if (event.body_removed_at !== null) {
    const by =
      event.body_removed_by === "erasure" ? "It was erased on request." : "It was kept as long as the settings say.";
    return <p className="muted">The body was removed. {by} The log of its deliveries is still there.</p>;
  }
  return (
    <Tabs
      label="Payload"
      tabs={[
        { key: "json", label: "JSON", content: <ParsedPayload payload={event.payload} /> },
        { key: "raw", label: "Raw", content: <RawPayload id={event.id} /> },
      ]}
    />
  );
}

function ParsedPayload({ payload }: { payload: unknown }) {
  if (payload === undefined) return <p className="muted">The body is not JSON. “Raw” shows it as it came.</p>;
  return (
    <div className="snippet">
      <JsonView value={payload} label="Payload as JSON" />
      <CopyButton text={JSON.stringify(payload, null, 2)} what="the payload" label="Copy JSON" />
    </div>
  );
}

function RawPayload({ id }: { id: string }) {
  const body = useQuery({ queryKey: ["body", id], queryFn: () => readRawBody(id), staleTime: Infinity });
  if (body.error !== null) return <ProblemNote error={body.error} onRetry={() => void body.refetch()} />;
  if (body.data === undefined) return <p className="muted">Loading …</p>;
  const { text, isText, size, type } = body.data;
  return (
    <div className="stack raw">
      <p className="row">
        <span className="muted">
          {formatBytes(size)}, {type}
          {!isText && ". These bytes are not UTF-8: what stands for no character is shown as �."}
        </span>
        <a className="button small" href={`/v1/events/${id}/body`} download={`${id}.bin`}>
          Download
        </a>
      </p>
      <LongText text={text} label="Payload as it came" />
    </div>
  );
}

interface RawBody extends BodyText {
  size: number;
  type: string;
}

async function readRawBody(id: string): Promise<RawBody> {
  const { data, response, error } = await relay.raw.GET("/v1/events/{id}/body", {
    params: { path: { id } },
    parseAs: "arrayBuffer",
  });
  if (!response.ok || data === undefined) throw new Error(`The body cannot be read: ${JSON.stringify(error)}`);
  const type = response.headers.get("sluice-content-type") ?? response.headers.get("content-type") ?? "no content type";
  return { ...readBodyText(data), size: data.byteLength, type };
}
