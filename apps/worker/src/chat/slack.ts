// A message for an incoming webhook of Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
// Other people's text is in `plain_text` objects, which know no markup, and its control characters are escaped all the same:
// https://docs.slack.dev/messaging/formatting-message-text#escaping.

import type { ChatMessage, ChatTone } from "./chat-message.ts";

const SIGNS: Record<ChatTone, string> = { bad: "🔴 ", good: "🟢 ", neutral: "" };

const escapeControls = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const plainObject = (text: string) => ({ type: "plain_text", text: escapeControls(text), emoji: false });

export function toSlack({ title, facts, tone, link }: ChatMessage): object {
  return {
    // For notifications. `mrkdwn: false` keeps `*` and `_` what they are, and without `link_names` a name is no mention.
    text: escapeControls(SIGNS[tone] + title),
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: "section", text: plainObject(SIGNS[tone] + title) },
      ...(facts.length === 0
        ? []
        : [{ type: "section", fields: facts.map(({ label, value }) => plainObject(`${label}\n${value}`)) }]),
      ...(link === undefined
        ? []
        : [
            {
              type: "section",
              // The only markup of the message, and none of it is other people's.
              text: {
                type: "mrkdwn",
                text: `<${escapeControls(link).replaceAll("|", "%7C")}|Open in Sluice>`,
                verbatim: true,
              },
            },
          ]),
    ],
  };
}
