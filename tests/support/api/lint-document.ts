// Lints an OpenAPI document by the rules of Redocly and of Spectral. Every rule that is switched off has its reason here.
// Both run in this process and need no network.

import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Spectral } from "@stoplight/spectral-core";
import { oas } from "@stoplight/spectral-rulesets";

const REDOCLY: Parameters<typeof createConfig>[0] = {
  extends: ["recommended-strict"],
  rules: {
    // `by-name` is no id: every id has a prefix, and the router knows the path with the name first.
    "no-ambiguous-paths": "off",
  },
};

const SPECTRAL = {
  extends: [[oas, "all"]],
  rules: {
    // Whoever runs the relay is the contact.
    "info-contact": "off",
    // OpenAPI 3.1 allows a URL or an identifier, and generators need the identifier.
    "license-url": "off",
    // The tags are in the order in which a reader needs them.
    "openapi-tags-alphabetical": "off",
  },
} as const;

/** @param text the document as JSON. @returns a line for each fault. */
export async function lintDocument(text: string): Promise<string[]> {
  const config = await createConfig(REDOCLY);
  const problems = await lintFromString({ source: text, absoluteRef: "/openapi.json", config });
  const spectral = new Spectral();
  // The types of the package want mutable lists.
  spectral.setRuleset(SPECTRAL as unknown as Parameters<Spectral["setRuleset"]>[0]);
  const results = await spectral.run(JSON.parse(text) as Record<string, unknown>);
  return [
    ...problems.map(({ ruleId, message, location: [at] }) => `redocly ${ruleId}: ${at?.pointer}: ${message}`),
    ...results.map(({ code, message, path }) => `spectral ${code}: ${path.join("/")}: ${message}`),
  ];
}
