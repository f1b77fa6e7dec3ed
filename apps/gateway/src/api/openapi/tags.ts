// The groups of endpoints in the document, in the order in which the reference shows them.

export const TAGS = [
  { name: "sources", description: "Where events come from: senders of webhooks, their secrets and their addresses" },
  { name: "targets", description: "Where events go to: your services, with their subscriptions and their limits" },
  {
    name: "pull",
    description: "How a service behind a pull target takes its deliveries and reports what became of them",
  },
  {
    name: "webhooks",
    description: "Gemini's WebhookService over the targets, for its SDKs. Each webhook is a target.",
  },
  { name: "events", description: "The events that were received: reading, injecting and replaying them" },
  { name: "deliveries", description: "One for each event and target: reading, retrying and cancelling them" },
  { name: "attempts", description: "Each attempt to send a delivery to its target, with the answer of the target" },
  { name: "operations", description: "Work on many deliveries at once, with its progress" },
  { name: "rejections", description: "The requests that the ingress refused, with the reason" },
  { name: "jobs", description: "The jobs at Gemini whose ends the relay waits for" },
  { name: "tail", description: "The log as it happens, as server-sent events" },
  { name: "stats", description: "Figures of events, deliveries and attempts" },
  { name: "set-aside events", description: "Acknowledged events that could not be stored" },
  { name: "configuration", description: "Sources, targets and keys as one file" },
  { name: "keys", description: "The keys of this API" },
  { name: "audit", description: "Who changed what, when, and by which request" },
  { name: "system", description: "How the relay is: its versions, stores, queue, settings and latest errors" },
  { name: "operational events", description: "What the relay tells targets of itself, if they subscribed to it" },
  { name: "metrics", description: "The metrics of this gateway for Prometheus" },
];
