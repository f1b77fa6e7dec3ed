// What a bulk endpoint is asked, for whoever wants to see it before it is sent.

export function SentFilter({ filter }: { filter: object }) {
  return (
    <details>
      <summary>The filter that is sent</summary>
      <pre>{JSON.stringify(filter, null, 2)}</pre>
    </details>
  );
}
