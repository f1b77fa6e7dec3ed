// Differences between a source and its webhook at Gemini, for somebody who has buttons. The relay's own sentences are for
// whoever calls its API, and name the request that mends a difference.

/** What differs, in a few words, and which button of the panel mends it. */
const WORDS: Record<string, { title: string; todo: string }> = {
  disabled: { title: "Disabled at Gemini", todo: "“Heal” enables it." },
  disabled_due_to_failed_deliveries: {
    title: "Disabled by Gemini",
    todo: "See that Gemini reaches the ingress from the internet. Then “Heal” enables the webhook.",
  },
  uri_differs: {
    title: "Another address",
    todo: "“Register again” makes a webhook for the address of this source. Delete the old one at Gemini.",
  },
  events_differ: { title: "Other events", todo: "“Register again” accepts the events that Gemini sends." },
  secret_unknown: { title: "Unknown secret", todo: "“Rotate” makes a secret that the source knows." },
  webhook_missing: { title: "No webhook", todo: "“Register again” makes a new one." },
  key_missing: { title: "No key of the Gemini API", todo: "Edit the source to give it one." },
  key_refused: { title: "Key refused", todo: "Edit the source to give it another key of the Gemini API." },
  refused: { title: "Refused", todo: "" },
  unchecked: { title: "Not checked", todo: "The relay goes on trying." },
};

export interface DriftWords {
  title: string;
  /** What Gemini has, and what it should have. */
  detail: string;
  todo: string;
}

/** @param code one of a newer relay has only its own sentences. */
export function describeDrift({ code, detail }: { code: string; detail: string }): DriftWords {
  const words = WORDS[code] ?? { title: code.replaceAll("_", " "), todo: "" };
  const sentences = detail.split(/(?<=\.) (?=[A-Z])/).filter((sentence) => !/POST …|^Set one/.test(sentence));
  return { ...words, detail: sentences.join(" ").replaceAll("gemini_api_key", "key of the Gemini API") };
}
