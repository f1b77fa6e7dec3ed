// An example of each event of Gemini's catalogue (docs/events.md), which `sluice trigger` sends.

type ExampleData = Record<string, unknown>;

const FAILURE = { error_code: "INTERNAL", error_message: "An example of a failure" };

/** @param id makes the job of each event another one. */
const EXAMPLES: Readonly<Record<string, (id: string) => ExampleData>> = {
  "batch.succeeded": (id) => ({ id: `batch_${id}`, output_file_uri: `gs://example-bucket/${id}/results.jsonl` }),
  "batch.failed": (id) => ({ id: `batch_${id}`, ...FAILURE, error_code: "INVALID_ARGUMENT" }),
  "batch.expired": (id) => ({ id: `batch_${id}` }),
  "batch.cancelled": (id) => ({ id: `batch_${id}` }),
  "interaction.completed": (id) => ({ id: `interaction_${id}` }),
  "interaction.requires_action": (id) => ({ id: `interaction_${id}` }),
  "interaction.failed": (id) => ({ id: `interaction_${id}`, ...FAILURE }),
  "interaction.cancelled": (id) => ({ id: `interaction_${id}` }),
  "video.generated": (id) => ({
    id: `operations_${id}`,
    output_file_uri: `https://generativelanguage.googleapis.com/v1beta/files/${id}:download?alt=media`,
    file_name: `files/${id}`,
  }),
};

export const EXAMPLE_TYPES = Object.keys(EXAMPLES);

/** The data of an event; only an id for a type that is not in the catalogue. */
export const exampleData = (type: string, id: string): ExampleData => EXAMPLES[type]?.(id) ?? { id };
