// How Gemini is told the address of a source, with its official SDKs. docs/gemini.md says the same with explanations.

interface SourceSnippet {
  label: string;
  text: string;
}

const EVENTS = ["batch.succeeded", "batch.failed", "video.generated"];
const QUOTED = EVENTS.map((name) => `"${name}"`).join(", ");

/** Registers the address of a static source. */
export const registerSnippets = (url: string): SourceSnippet[] => [
  {
    label: "JavaScript",
    text: `import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({}); // the key is in the environment: GEMINI_API_KEY
const webhook = await client.webhooks.create(
  {
    name: "sluice",
    uri: "${url}",
    subscribed_events: [${QUOTED}],
  },
  { maxRetries: 0 }, // a repeated create would make a webhook that nobody knows
);
console.log(webhook.new_signing_secret); // Gemini shows it only this once`,
  },
  {
    label: "Python",
    text: `import os
from google import genai

client = genai.Client(api_key=os.environ["GEMINI_API_KEY"])
webhook = client.webhooks.create(
    name="sluice",
    uri="${url}",
    subscribed_events=[${QUOTED}],
)
print(webhook.new_signing_secret)  # Gemini shows it only this once`,
  },
  {
    label: "curl",
    text: `curl -X POST https://generativelanguage.googleapis.com/v1beta/webhooks \\
  -H "x-goog-api-key: $GEMINI_API_KEY" -H 'content-type: application/json' \\
  -d '{"name": "sluice", "uri": "${url}", "subscribed_events": [${QUOTED}]}'`,
  },
];

/** Names a callback URL with a job. */
export const jobSnippets = (url: string): SourceSnippet[] => [
  {
    label: "JavaScript",
    text: `const interaction = await client.interactions.create({
  model: "gemini-3.8-flash",
  input: "Write the report",
  background: true,
  webhook_config: { uris: ["${url}"] },
});
// batches and videos: config: { webhookConfig: { uris: ["${url}"] } }`,
  },
  {
    label: "Python",
    text: `interaction = client.interactions.create(
    model="gemini-3.8-flash",
    input="Write the report",
    background=True,
    webhook_config={"uris": ["${url}"]},
)
# batches and videos: config={"webhook_config": {"uris": ["${url}"]}}`,
  },
];
