// A message for a webhook of Teams Workflows, "When a Teams webhook request is received": an adaptive card in an envelope,
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook. Text blocks and
// fact sets read Markdown and functions such as `{{DATE(…)}}`. Text runs read no Markdown, so the card has nothing else.

import type { ChatMessage, ChatTone } from "./chat-message.ts";

const COLORS: Record<ChatTone, string> = { bad: "Attention", good: "Good", neutral: "Default" };

/** No function of a card, and no `<at>`: a mention also needs an entity, which these cards never have. */
const inert = (text: string) =>
  text.replaceAll("{{", "{ {").replaceAll("}}", "} }").replaceAll("<", "‹").replaceAll(">", "›");

const textRun = (text: string, style: object = {}) => ({ type: "TextRun", text: inert(text), ...style });

export function toTeams({ title, facts, tone, link }: ChatMessage): object {
  return {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body: [
            {
              type: "RichTextBlock",
              inlines: [textRun(title, { size: "Large", weight: "Bolder", color: COLORS[tone] })],
            },
            ...facts.map(({ label, value }) => ({
              type: "RichTextBlock",
              spacing: "Small",
              inlines: [textRun(`${label}: `, { weight: "Bolder" }), textRun(value)],
            })),
          ],
          ...(link !== undefined && { actions: [{ type: "Action.OpenUrl", title: "Open in Sluice", url: link }] }),
        },
      },
    ],
  };
}
