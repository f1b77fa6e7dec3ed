// What stands in place of rows and panels until the relay has answered.

/** @param kind whether rows of a list are awaited, or the parts of a page. */
export function Skeleton({ kind }: { kind: "rows" | "page" }) {
  return (
    <div className={`skeleton ${kind}`} role="status" aria-label="Loading">
      {Array.from({ length: kind === "rows" ? 8 : 3 }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}
