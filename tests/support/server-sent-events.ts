// A client of server-sent events that a test can cut off at any moment, and resume by the last id, as an EventSource
// does.

interface SentMessage {
  event: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a message is what a test asserts about it.
  data: any;
}

export interface EventStream {
  status: number;
  headers: Headers;
  /** All messages since the stream was opened. */
  messages: SentMessage[];
  /** The last id that was received, with or without a message. */
  lastId: string | undefined;
  /** Resolves when either side has ended the stream. */
  ended: Promise<void>;
  /** Ends the stream from this side. */
  cut: () => Promise<void>;
}

/** @param lastId the id after which the stream continues. */
export async function openEventStream(url: string, apiKey: string, lastId?: string): Promise<EventStream> {
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${apiKey}`, ...(lastId !== undefined && { "last-event-id": lastId }) };
  const response = await fetch(url, { headers, signal: abort.signal });
  const stream: EventStream = {
    status: response.status,
    headers: response.headers,
    messages: [],
    lastId,
    ended: read().catch(() => undefined),
    cut: async () => {
      abort.abort();
      await stream.ended;
    },
  };
  return stream;

  async function read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      rest += decoder.decode(bytes, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) take(block);
    }
  }

  function take(block: string): void {
    const fields = new Map(
      block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
    );
    stream.lastId = fields.get("id") ?? stream.lastId;
    const data = fields.get("data");
    if (data !== undefined) stream.messages.push({ event: fields.get("event") ?? "message", data: JSON.parse(data) });
  }
}
