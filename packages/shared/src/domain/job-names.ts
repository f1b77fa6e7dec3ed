// A batch has two names: its bare id, and its resource name. Gemini's documentation does not say which of them a payload
// holds.

const PREFIX = "batches/";

/** Both names of a batch. The id of another job has no resource name, and no job has the second one then. */
export function namesOfJob(name: string): string[] {
  const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return [bare, PREFIX + bare];
}
