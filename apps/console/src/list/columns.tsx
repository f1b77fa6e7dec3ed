// Columns of a list, and the menu that chooses among them. A narrow screen shows the important ones.

import { type ReactNode, useId } from "react";

import { changeTaste, useTaste } from "../data/taste.ts";

export interface ListColumn<Row> {
  key: string;
  label: string;
  cell: (row: Row) => ReactNode;
  /** 1 is always shown, 2 from the width of a tablet on, 3 on wide screens. */
  priority?: 1 | 2 | 3;
  isNumber?: boolean;
  /** The column takes the room that is left. */
  isWide?: boolean;
  /** On a phone, this text stands under the first column instead of the column. */
  under?: (row: Row) => ReactNode;
}

/** The columns of a list that this person wants. */
export function useShownColumns<Row>(list: string, columns: readonly ListColumn<Row>[]): readonly ListColumn<Row>[] {
  const hidden = useTaste().hiddenColumns[list] ?? [];
  return columns.filter(({ key }, index) => index === 0 || !hidden.includes(key));
}

export function ColumnMenu<Row>({ list, columns }: { list: string; columns: readonly ListColumn<Row>[] }) {
  const id = useId();
  const { hiddenColumns } = useTaste();
  const hidden = hiddenColumns[list] ?? [];
  const toggle = (key: string) =>
    changeTaste({
      hiddenColumns: {
        ...hiddenColumns,
        [list]: hidden.includes(key) ? hidden.filter((one) => one !== key) : [...hidden, key],
      },
    });
  return (
    <>
      <button type="button" className="quiet columns" popoverTarget={id}>
        Columns
      </button>
      <div id={id} popover="auto" className="menu">
        {columns.slice(1).map(({ key, label }) => (
          <label key={key}>
            <input type="checkbox" checked={!hidden.includes(key)} onChange={() => toggle(key)} /> {label}
          </label>
        ))}
      </div>
    </>
  );
}
