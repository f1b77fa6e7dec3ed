// How a target takes events. An `http` target gets the body of each event, signed. A chat target is the incoming webhook of
// a chat service, which gets a message about the event; whoever knows its URL can write to the channel. A `pull` target
// fetches what an `http` target would get.

export const CHAT_KINDS = ["slack", "google_chat", "teams", "discord"] as const;

export type ChatKind = (typeof CHAT_KINDS)[number];

export const TARGET_KINDS = ["http", ...CHAT_KINDS, "pull"] as const;

export type TargetKind = (typeof TARGET_KINDS)[number];

const chatKinds: readonly TargetKind[] = CHAT_KINDS;

export const isChatKind = (kind: TargetKind): kind is ChatKind => chatKinds.includes(kind);

/**
 * Stands for the URI of a pull target, which has none. It is a URL, because a worker of an earlier version, which does not
 * know the kind, reads one.
 */
export const PULL_URI = "pull:";
