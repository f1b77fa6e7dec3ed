// Filters to begin with. docs/filters.md has the whole language.

interface FilterExample {
  meaning: string;
  expression: string;
}

export const FILTER_EXAMPLES: readonly FilterExample[] = [
  { meaning: "One source", expression: 'source == "gemini"' },
  {
    meaning: "Jobs of one team, by their metadata",
    expression: 'has(event.user_metadata.team) && event.user_metadata.team == "billing"',
  },
  {
    meaning: "A label of the callback URL",
    expression: '"customer" in event.labels && event.labels.customer == "42"',
  },
  {
    meaning: "Failures for lack of quota",
    expression:
      'event.type.endsWith(".failed") && has(event.data.error_code) && event.data.error_code == "RESOURCE_EXHAUSTED"',
  },
  {
    meaning: "Results in one bucket",
    expression: 'has(event.data.output_file_uri) && event.data.output_file_uri.startsWith("gs://my-bucket/")',
  },
];
