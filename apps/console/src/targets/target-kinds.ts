// The kinds of targets in the words of people.

import type { KindOfTarget } from "./target-draft.ts";

export const KIND_NAMES: Record<KindOfTarget, string> = {
  http: "HTTP",
  pull: "Pull",
  slack: "Slack",
  google_chat: "Google Chat",
  teams: "Teams",
  discord: "Discord",
};

/** What each kind takes, in a sentence. */
export const KIND_MEANINGS: Record<KindOfTarget, string> = {
  http: "Your service takes each event as a POST, byte for byte as Gemini sent it, signed for this target.",
  pull: "Your service fetches its events itself, with an API key. Nothing has to reach it.",
  slack: "A message about each event, at an incoming webhook of Slack.",
  google_chat: "A message about each event, at an incoming webhook of Google Chat.",
  teams: "A message about each event, at an incoming webhook of Microsoft Teams.",
  discord: "A message about each event, at an incoming webhook of Discord.",
};

export const isChat = (kind: KindOfTarget): boolean => kind !== "http" && kind !== "pull";
