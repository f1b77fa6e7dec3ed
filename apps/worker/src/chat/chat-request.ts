// The request that a chat target gets in place of the body of an event.

import type { ChatKind } from "@sluice/shared/domain/target-kinds";

import { type ChatMessage, tellOfEvent, type ToldDelivery } from "./chat-message.ts";
import { toDiscord } from "./discord.ts";
import { toGoogleChat } from "./google-chat.ts";
import { toSlack } from "./slack.ts";
import { toTeams } from "./teams.ts";

const FORMS: Record<ChatKind, (message: ChatMessage) => object> = {
  slack: toSlack,
  google_chat: toGoogleChat,
  teams: toTeams,
  discord: toDiscord,
};

/** @param apiUrl as `tellOfEvent` has it. */
export function chatBody(kind: ChatKind, delivery: ToldDelivery, apiUrl: string | undefined): Buffer {
  return Buffer.from(JSON.stringify(FORMS[kind](tellOfEvent(delivery, apiUrl))));
}

/** @param chatUrl of the incoming webhook, as its operator gave it. */
export function chatAddress(kind: ChatKind, chatUrl: string): URL {
  const url = new URL(chatUrl);
  // Without it, Discord answers before it has stored the message, and says nothing when it could not.
  if (kind === "discord" && !url.searchParams.has("wait")) url.searchParams.set("wait", "true");
  return url;
}
