// What a chat target is told about an event, before it takes the form of one service. The type, the fields of the payload
// and the names in it are other people's text. So each is bounded here, and each form has to keep it from becoming markup.

import { cutText } from "@sluice/shared/domain/cut-text";
import { isObject, parseJson } from "@sluice/shared/domain/envelope";
import { formatId } from "@sluice/shared/domain/ids";
import { RELAY_TYPES } from "@sluice/shared/domain/subscription";
import type { ClaimedDelivery } from "@sluice/store/delivery/deliveries";

export type ChatTone = "bad" | "good" | "neutral";

/** None of the texts has a line break or a control character. All but `link` may come from outside. */
export interface ChatMessage {
  title: string;
  facts: { label: string; value: string }[];
  tone: ChatTone;
  /** What the message is about, in the API of the relay. */
  link: string | undefined;
}

/** The event, and what carries it. */
export type ToldDelivery = Pick<ClaimedDelivery, "eventId" | "webhookId" | "body">;

const MAX_TITLE = 150;
const MAX_LABEL = 60;
const MAX_VALUE = 400;
/** Slack takes at most ten fields in a section. */
const MAX_FACTS = 10;
/** Line breaks and controls, and invisible characters that change how the text around them is shown. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** The titles of the relay's own events, by the end of their types. */
const TITLES: Record<string, { title: (name: string) => string; tone: ChatTone }> = {
  "target.failing": { title: (name) => `Target ${name} is failing`, tone: "bad" },
  "target.disabled": { title: (name) => `Target ${name} was disabled`, tone: "bad" },
  "target.recovered": { title: (name) => `Target ${name} has recovered`, tone: "good" },
  "deliveries.exhausted": { title: (name) => `Deliveries to ${name} were given up`, tone: "bad" },
  "event.set_aside": { title: () => "Events could not be stored and were set aside", tone: "bad" },
  "source.failing": { title: (name) => `Source ${name} is failing`, tone: "bad" },
  "source.drift": { title: (name) => `The webhook of source ${name} at Gemini has changed`, tone: "bad" },
  "relay.degraded": { title: () => "The relay is degraded", tone: "bad" },
  "relay.recovered": { title: () => "The relay has recovered", tone: "good" },
  "secret.expiring": { title: (name) => `A secret expires soon: ${name}`, tone: "bad" },
  "job.overdue": { title: (name) => `Job ${name} is overdue`, tone: "bad" },
  "job.ended": { title: (name) => `Job ${name} has ended`, tone: "neutral" },
  test: { title: () => "A test of this target", tone: "neutral" },
};

const COLLECTIONS: Record<string, string> = { tgt: "targets", src: "sources", job: "jobs" };

/** @param apiUrl the address of the API, without a slash at its end; undefined for a message without a link. */
export function tellOfEvent({ eventId, webhookId, body }: ToldDelivery, apiUrl: string | undefined): ChatMessage {
  const payload = parseJson(body);
  const { type, data } = isObject(payload) ? payload : { type: undefined, data: undefined };
  const fields = isObject(data) ? data : {};
  const event = formatId("evt", eventId);
  // A sender may name its event as the relay names its own, and does not know the id that the relay will give it.
  const known = webhookId === event && typeof type === "string" ? findTitle(type) : undefined;
  const name = toLine(fields["name"] ?? fields["target"] ?? fields["source"] ?? fields["id"], MAX_LABEL);
  const shownType = toLine(type, MAX_LABEL);
  const facts = Object.entries(fields)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => ({ label: toLabel(key), value: toLine(value, MAX_VALUE) }));
  const titled = known === undefined ? [] : [{ label: "type", value: shownType }];
  return {
    title: toLine(known === undefined ? shownType || "An event without a type" : known.title(name), MAX_TITLE),
    facts: [...titled, ...facts, { label: "event", value: event }].filter(isTold).slice(0, MAX_FACTS),
    tone: known?.tone ?? (typeof type === "string" && /\.(failed|expired)$/.test(type) ? "bad" : "neutral"),
    link:
      apiUrl === undefined
        ? undefined
        : `${apiUrl}/v1/${known === undefined ? `events/${event}` : pathTo(fields["id"], event)}`,
  };
}

const findTitle = (type: string) =>
  type === "ping" ? TITLES["test"] : type.startsWith(RELAY_TYPES) ? TITLES[type.slice(RELAY_TYPES.length)] : undefined;

const isTold = ({ value }: { value: string }) => value !== "";

/** The relay itself made the id. */
function pathTo(id: unknown, event: string): string {
  const [prefix = ""] = typeof id === "string" ? id.split("_", 1) : [];
  const collection = COLLECTIONS[prefix];
  return collection === undefined || !/^[a-z]{3}_[0-9a-z]{26}$/.test(String(id))
    ? `events/${event}`
    : `${collection}/${String(id)}`;
}

const toLabel = (key: string) => toLine(key.replaceAll(/[^A-Za-z0-9]+/g, " ").trim(), MAX_LABEL) || "field";

/** A value as one line of bounded length. */
function toLine(value: unknown, maxLength: number): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  // Cut twice: the value may be a megabyte, and what replaces its ends must fit too.
  const line = cutText(text, maxLength * 4)
    .replaceAll(UNSEEN, " ")
    .trim();
  return line.length > maxLength ? `${cutText(line, maxLength - 1)}…` : line;
}
