// Labels and user metadata, as small marks with a name and a value.

/** @param labels values of any kind: a list of texts is shown with commas, and anything else that is no text as JSON. */
export function LabelList({ labels }: { labels: Readonly<Record<string, unknown>> | null }) {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return <span className="muted">–</span>;
  return (
    <span className="labels">
      {entries.map(([name, value]) => (
        <span key={name} className="label">
          {name}: {labelText(value)}
        </span>
      ))}
    </span>
  );
}

function labelText(value: unknown): string {
  if (typeof value === "string") return value;
  const isListOfTexts = Array.isArray(value) && value.every((one) => typeof one === "string");
  return isListOfTexts ? value.join(", ") : JSON.stringify(value);
}
