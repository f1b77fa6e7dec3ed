// What is known of one thing: a name and a value in each line.

import type { ReactNode } from "react";

type Fact = readonly [name: string, value: ReactNode, width?: "wide"];

/** @param facts lines in order; a line whose value is undefined is left out. */
export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== undefined)
        .map(([name, value, width]) => (
          <div key={name} className={width}>
            <dt>{name}</dt>
            <dd>{value ?? <span className="muted">–</span>}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A part of a page, with a heading and what can be done with it. */
export function Panel({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="panel">
      <header>
        <h2>{title}</h2>
        {actions !== undefined && <div className="row">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** In place of a list or a chart that has nothing to show: why, and what to do. */
export function EmptyNote({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}
