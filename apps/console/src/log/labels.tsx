// Labels and user metadata, as small marks with a name and a value.

/** @param labels values of any kind: what is no text is shown as JSON. */
export function LabelList({ labels }: { labels: Readonly<Record<string, unknown>> | null }) {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return <span className="muted">–</span>;
  return (
    <span className="labels">
      {entries.map(([name, value]) => (
        <span key={name} className="label">
          {name}: {typeof value === "string" ? value : JSON.stringify(value)}
        </span>
      ))}
    </span>
  );
}
