// The types of events that Gemini sends, and their groups: proposals where a person names events.

export const EVENT_TYPES = [
  "batch.*",
  "batch.succeeded",
  "batch.failed",
  "batch.expired",
  "interaction.*",
  "interaction.completed",
  "interaction.requires_action",
  "interaction.failed",
  "video.*",
  "video.generated",
];
