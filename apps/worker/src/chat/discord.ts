// A message for a webhook of Discord: https://discord.com/developers/docs/resources/webhook#execute-webhook. No text of an
// embed notifies anybody, and `allowed_mentions` says so for the whole message. Other people's values are inline code, in which
// Discord reads no Markdown, no link and no mention.

import { cutText } from "@sluice/shared/domain/cut-text";

import type { ChatMessage, ChatTone } from "./chat-message.ts";

const COLORS: Record<ChatTone, number> = { bad: 0xd8_3c_3e, good: 0x2e_a0_43, neutral: 0x6e_77_81 };

const escapeMarkdown = (text: string) => text.replaceAll(/[\\*_~`|<>[\]()#@:-]/g, String.raw`\$&`);
const code = (text: string) => `\`${text.replaceAll("`", "ˋ")}\``;

export function toDiscord({ title, facts, tone, link }: ChatMessage): object {
  return {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        // At most 256 characters, also when each is escaped.
        title: escapeMarkdown(cutText(title, 128)),
        color: COLORS[tone],
        fields: facts.map(({ label, value }) => ({ name: label, value: code(value) })),
        ...(link !== undefined && { url: link }),
      },
    ],
  };
}
