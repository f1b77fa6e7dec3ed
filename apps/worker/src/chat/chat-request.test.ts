// Messages for chat services: bounded, and never more than text, whatever the event says.

import { formatId, newId } from "@sluice/shared/domain/ids";
import { CHAT_KINDS } from "@sluice/shared/domain/target-kinds";
import { describe, expect, test } from "vitest";

import { chatAddress, chatBody } from "./chat-request.ts";

const API_URL = "http://sluice.internal:8081";

/** An event of a sender, unless it is `own`: then its webhook id is the id that the relay gave it. */
function deliver(payload: unknown, isOwn = false) {
  const eventId = newId();
  const webhookId = isOwn ? formatId("evt", eventId) : "msg_1";
  return { eventId, webhookId, body: Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)) };
}

type Told = ReturnType<typeof deliver>;

const read = (kind: (typeof CHAT_KINDS)[number], delivery: Told, apiUrl?: string) =>
  JSON.parse(chatBody(kind, delivery, apiUrl).toString());

/** Every text of a message. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

const HOSTILE = [
  "<!channel> <!here|here> <@U024BE7LH> <#C1|x> <https://evil.example|Click>",
  '<users/all> <b>bold</b> <a href="https://evil.example">x</a>',
  "<at>everyone</at> {{DATE(2017-02-14T06:08:39Z)}} [x](https://evil.example) **bold**",
  "@everyone @here <@&1> `code` ||spoiler|| [x](https://evil.example) # head",
  "line\nbreak\u202Ereversed\u0000\u200b",
  "x".repeat(100_000),
];

const HOSTILE_EVENT = deliver({
  type: HOSTILE.join(" "),
  data: { id: "batch_1", ...Object.fromEntries(HOSTILE.map((text, index) => [`<!channel>${index}`, text])) },
});

describe("an event of Gemini", () => {
  const event = deliver({
    type: "batch.failed",
    version: "v1",
    data: { id: "batch_123", error_code: "INVALID_ARGUMENT", error_message: "a < b & c" },
  });
  const link = `${API_URL}/v1/events/${formatId("evt", event.eventId)}`;

  test.for(CHAT_KINDS)("says in %s what happened, and links to the event", (kind) => {
    const texts = textsOf(read(kind, event, API_URL));
    for (const wanted of ["batch.failed", "batch_123", "INVALID_ARGUMENT", link])
      expect(texts.some((text) => text.replaceAll("\\", "").includes(wanted))).toBe(true);
    expect(JSON.stringify(read(kind, event))).not.toContain("Open in Sluice");
  });

  test("has the form that Slack takes", () => {
    expect(read("slack", event, API_URL)).toEqual({
      text: "🔴 batch.failed",
      mrkdwn: false,
      unfurl_links: false,
      unfurl_media: false,
      blocks: [
        { type: "section", text: { type: "plain_text", text: "🔴 batch.failed", emoji: false } },
        {
          type: "section",
          fields: [
            "id\nbatch_123",
            "error code\nINVALID_ARGUMENT",
            "error message\na &lt; b &amp; c",
            `event\n${formatId("evt", event.eventId)}`,
          ].map((text) => ({ type: "plain_text", text, emoji: false })),
        },
        { type: "section", text: { type: "mrkdwn", text: `<${link}|Open in Sluice>`, verbatim: true } },
      ],
    });
  });
});

describe("hostile text", () => {
  test.for(CHAT_KINDS)("stays text in %s, on one line, and short", (kind) => {
    const message = read(kind, HOSTILE_EVENT, API_URL);
    const bytes = Buffer.byteLength(JSON.stringify(message));
    // Teams takes 28 KB, Google Chat 32,000 bytes, and an embed of Discord 6,000 characters.
    expect(bytes).toBeLessThan(kind === "discord" ? 12_000 : 28_000);
    const lines = textsOf(message).map((text) => (kind === "slack" ? text.replace("\n", "") : text));
    expect(lines.filter((text) => /[\p{Cc}\p{Cf}]/u.test(text))).toEqual([]);
  });

  test("opens no tag in Slack, Google Chat and Teams", () => {
    const slack = read("slack", HOSTILE_EVENT, API_URL);
    expect(textsOf(slack).filter((text) => text.includes("<"))).toEqual([
      expect.stringMatching(/^<http:\/\/sluice\.internal:8081\/v1\/events\/evt_[0-9a-z]+\|Open in Sluice>$/),
    ]);
    for (const kind of ["google_chat", "teams"] as const)
      expect(textsOf(read(kind, HOSTILE_EVENT, API_URL)).filter((text) => /[<>]/.test(text))).toEqual([]);
  });

  test("is in no text of a card that reads Markdown or functions", () => {
    const card = read("teams", HOSTILE_EVENT).attachments[0].content;
    const kinds = new Set(card.body.map(({ type }: { type: string }) => type));
    expect(kinds).toEqual(new Set(["RichTextBlock"]));
    expect(JSON.stringify(card)).not.toContain("{{");
  });

  test("mentions nobody in Discord, and its code does not end before its end", () => {
    const { allowed_mentions: mentions, embeds, content } = read("discord", HOSTILE_EVENT);
    expect([mentions, content]).toEqual([{ parse: [] }, undefined]);
    const [{ title, fields }] = embeds;
    expect(title).not.toMatch(/(?<!\\)[<@[*`|#]/);
    expect(title.length).toBeLessThanOrEqual(256);
    for (const { name, value } of fields) {
      expect(name).toMatch(/^[A-Za-z0-9 ]{1,256}$/);
      expect(value).toMatch(/^`[^`]*`$/);
      expect(value.length).toBeLessThanOrEqual(1024);
    }
    const length = title.length + fields.flatMap(textsOf).join("").length;
    expect(length).toBeLessThanOrEqual(6000);
  });
});

test.for(["", "{", "[1]", '"text"', "null", '{"type": 7, "data": []}', "\u0000"])(
  "a body that is %j is told too",
  (body) => {
    for (const kind of CHAT_KINDS)
      expect(textsOf(read(kind, deliver(body))).join(" ")).toMatch(/An event without a type|7/);
  },
);

test("an event of the relay has a title, and links to what it is about", () => {
  const id = formatId("tgt", newId());
  const payload = { type: "sluice.target.failing", data: { id, target: "billing", last_error: "connection refused" } };
  const own = JSON.stringify(read("slack", deliver(payload, true), API_URL));
  expect(own).toContain("Target billing is failing");
  expect(own).toContain(`${API_URL}/v1/targets/${id}|`);
  // A sender that names its event so does not get the title.
  const forged = JSON.stringify(read("slack", deliver(payload), API_URL));
  expect(forged).not.toContain("is failing");
  expect(forged).not.toContain("/v1/targets/");
});

test("an id that only looks like one of the relay's is no part of a link", () => {
  const data = { id: "tgt_../../../evil", target: "billing" };
  const text = JSON.stringify(read("slack", deliver({ type: "sluice.target.failing", data }, true), API_URL));
  expect(text).toMatch(/\/v1\/events\/evt_[0-9a-z]{26}\|/);
});

test("Discord is asked to answer when it has stored the message", () => {
  const url = "https://discord.com/api/webhooks/1/secret";
  expect(chatAddress("discord", url).href).toBe(`${url}?wait=true`);
  expect(chatAddress("discord", `${url}?thread_id=7&wait=false`).href).toBe(`${url}?thread_id=7&wait=false`);
  expect(chatAddress("slack", url).href).toBe(url);
});
