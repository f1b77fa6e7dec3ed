// A message for an incoming webhook of Google Chat: https://developers.google.com/workspace/chat/quickstart/webhooks. A card
// reads a part of HTML in most of its texts, and a mention is written `<users/all>`. So there is no "<" in any text.

import type { ChatMessage, ChatTone } from "./chat-message.ts";

const SIGNS: Record<ChatTone, string> = { bad: "🔴 ", good: "🟢 ", neutral: "" };

/** Look-alikes where no HTML is read, so that the text is right and yet no tag. */
const withoutTags = (text: string) => text.replaceAll("<", "‹").replaceAll(">", "›");
const escapeTags = (text: string) => withoutTags(text).replaceAll("&", "&amp;");

export function toGoogleChat({ title, facts, tone, link }: ChatMessage): object {
  const widgets = [
    ...facts.map(({ label, value }) => ({
      decoratedText: { topLabel: escapeTags(label), text: escapeTags(value), wrapText: true },
    })),
    ...(link === undefined
      ? []
      : [{ buttonList: { buttons: [{ text: "Open in Sluice", onClick: { openLink: { url: link } } }] } }]),
  ];
  const headline = withoutTags(SIGNS[tone] + title);
  return {
    fallbackText: headline,
    cardsV2: [
      {
        cardId: "sluice",
        card: { header: { title: headline }, ...(widgets.length > 0 && { sections: [{ widgets }] }) },
      },
    ],
  };
}
