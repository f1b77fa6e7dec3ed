// JSON as text with colours. It is bounded: a payload of a megabyte opens at once, and shows more when asked. Whatever the
// payload holds is text here, never markup.

import { type ReactNode, useMemo, useState } from "react";

const FIRST_CHARACTERS = 20_000;
const MORE_CHARACTERS = 200_000;

/** @param value anything that JSON can hold. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "null", [value]);
  return <LongText text={text} label={label} colour />;
}

/** A text of any length in a box of its own, whose beginning is shown first. */
export function LongText({ text, label, colour = false }: { text: string; label: string; colour?: boolean }) {
  const [shown, setShown] = useState(FIRST_CHARACTERS);
  const isCut = text.length > shown;
  const part = isCut ? text.slice(0, shown) : text;
  const content = useMemo(() => (colour ? colourJson(part) : part), [colour, part]);
  return (
    <div className="code-box">
      {/* A box that scrolls is reached by the keyboard. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} role="region" aria-label={label}>
        {content}
      </pre>
      {isCut && (
        <p className="row">
          <span className="muted">
            {shown.toLocaleString("en")} of {text.length.toLocaleString("en")} characters
          </span>
          <button type="button" className="small" onClick={() => setShown(shown + MORE_CHARACTERS)}>
            Show more
          </button>
        </p>
      )}
    </div>
  );
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\b\d[\d.eE+-]*/g;

function colourJson(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, quoted, colon, word] = match;
    if (match.index > end) parts.push(text.slice(end, match.index));
    const kind =
      quoted === undefined ? (word === undefined ? "number" : "word") : colon === undefined ? "text" : "name";
    const shown = quoted ?? token;
    parts.push(
      <span key={match.index} className={`json-${kind}`}>
        {shown}
      </span>,
    );
    if (colon !== undefined) parts.push(colon);
    end = match.index + token.length;
  }
  parts.push(text.slice(end));
  return parts;
}
