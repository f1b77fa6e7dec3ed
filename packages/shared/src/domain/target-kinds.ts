// How a target takes events. An `http` target gets the body of each event, signed. A chat target is the incoming webhook of
// a chat service, which gets a message about the event; whoever knows its URL can write to the channel.

export const CHAT_KINDS = ["slack", "google_chat", "teams", "discord"] as const;

export type ChatKind = (typeof CHAT_KINDS)[number];

export const TARGET_KINDS = ["http", ...CHAT_KINDS] as const;

export type TargetKind = (typeof TARGET_KINDS)[number];

export const isChatKind = (kind: TargetKind): kind is ChatKind => kind !== "http";
