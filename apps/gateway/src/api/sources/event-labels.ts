// The labels of an event, as a callback URL carries them and as a caller of POST /v1/events gives them.

import { plainText, WITHOUT_CONTROLS } from "../http/plain-text.ts";
import { namesLike, recordOf } from "../http/record.ts";

const MAX_LABELS = 20;
const LABEL = /^[A-Za-z0-9_.-]{1,64}$/;
const MAX_LABEL_VALUE_LENGTH = 256;

export const labels = recordOf(plainText(MAX_LABEL_VALUE_LENGTH))
  .superRefine((given, context) => {
    const names = Object.keys(given);
    if (names.length > MAX_LABELS)
      context.addIssue({ code: "custom", message: `must have at most ${MAX_LABELS} entries` });
    for (const name of names) {
      if (LABEL.test(name)) continue;
      const message = 'must have a name of 1 to 64 of A-Z, a-z, 0-9, "_", "." and "-"';
      context.addIssue({ code: "custom", message, path: [name] });
    }
  })
  .openapi({
    type: "object",
    ...namesLike(LABEL),
    additionalProperties: { type: "string", maxLength: MAX_LABEL_VALUE_LENGTH, pattern: WITHOUT_CONTROLS.source },
    maxProperties: MAX_LABELS,
    description: "Names and values of your own, by which the events are filtered and found",
    example: { job: "nightly-embeddings", customer: "42" },
  });
