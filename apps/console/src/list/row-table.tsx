// Rows as a table. Each row is a link that opens in a tab like any; j and k move among the rows (keys.tsx).

import { Link } from "@tanstack/react-router";

import type { ListColumn } from "./columns.tsx";

interface RowTableProps<Row extends { id: string }> {
  rows: readonly Row[];
  columns: readonly ListColumn<Row>[];
  linkTo?: ((row: Row) => string) | undefined;
  /** The list of the API that the rows are from, for "copy as curl". */
  apiPath?: string;
  label: string;
}

export function RowTable<Row extends { id: string }>({ rows, columns, linkTo, apiPath, label }: RowTableProps<Row>) {
  const underFirst = columns.flatMap(({ key, under }) => (under === undefined ? [] : [{ key, under }]));
  return (
    <div className="table-box rows">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.key} scope="col" className={classOf(column)}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} data-id={row.id} data-api={apiPath && `${apiPath}/${row.id}`}>
              {columns.map((column, index) => (
                <td key={column.key} className={classOf(column)}>
                  {index === 0 && linkTo !== undefined ? (
                    <Link to={linkTo(row)} className="row-link clip" data-row>
                      {column.cell(row)}
                    </Link>
                  ) : (
                    column.cell(row)
                  )}
                  {index === 0 &&
                    underFirst.map(({ key, under }) => (
                      <span key={key} className="under clip">
                        {under(row)}
                      </span>
                    ))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf<Row>({ under, priority = under === undefined ? 1 : 2, isNumber, isWide }: ListColumn<Row>): string {
  return [`priority-${priority}`, isNumber === true && "number", isWide === true && "grow"].filter(Boolean).join(" ");
}
