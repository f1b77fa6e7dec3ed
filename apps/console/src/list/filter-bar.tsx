// The filters of a list. Each is a parameter of the address, so that a link shows what its sender saw.

import { useState } from "react";

import { allOf, isEmptySearch, oneOf, type SearchParams } from "../data/search-params.ts";

export interface FilterOption {
  value: string;
  label: string;
}

/** States of the API as options. */
export const stateOptions = (states: readonly string[]): FilterOption[] =>
  states.map((value) => ({ value, label: value.replaceAll("_", " ") }));

export interface ListFilter {
  name: string;
  label: string;
  placeholder?: string;
  /** A choice among these instead of a text. */
  options?: readonly FilterOption[];
  /** Proposals for a text. */
  proposals?: readonly string[];
  /** Several values; a text has them separated by spaces. */
  isMany?: boolean;
  /** Shown at first; the others are behind "More filters". */
  isFirst?: boolean;
}

const SINCE: ListFilter = {
  name: "since",
  label: "Since",
  placeholder: "-24h or 2026-01-22T12:00:00Z",
  proposals: ["-15m", "-1h", "-24h", "-7d", "-30d"],
  isFirst: true,
};
const UNTIL: ListFilter = { name: "until", label: "Until", placeholder: "-1h or 2026-01-22T12:00:00Z" };

/** The filters of each list of the log. */
export const TIME_FILTERS = [SINCE, UNTIL];

interface FilterBarProps {
  filters: readonly ListFilter[];
  search: SearchParams;
  onChange: (search: SearchParams) => void;
  /** The fault that the relay found in a filter. */
  faultOf: (name: string) => string | undefined;
}

export function FilterBar({ filters, search, onChange, faultOf }: FilterBarProps) {
  const isUsed = ({ name }: ListFilter) => allOf(search[name]).length > 0;
  const [isOpen, setOpen] = useState(() => filters.some((filter) => filter.isFirst !== true && isUsed(filter)));
  const shown = filters.filter((filter) => isOpen || filter.isFirst === true || isUsed(filter));
  const set = (name: string, value: string | string[]) =>
    onChange({ ...search, [name]: value.length === 0 ? undefined : value });
  return (
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      {shown.map((filter, index) => (
        <FilterControl
          key={filter.name}
          filter={filter}
          value={allOf(search[filter.name])}
          onChange={(value) => set(filter.name, value)}
          fault={faultOf(filter.name)}
          isFind={index === 0}
        />
      ))}
      <div className="row">
        {shown.length < filters.length && (
          <button type="button" className="quiet" onClick={() => setOpen(true)}>
            More filters
          </button>
        )}
        {!isEmptySearch(search) && (
          <button type="button" className="quiet" onClick={() => onChange({})}>
            Clear
          </button>
        )}
      </div>
    </form>
  );
}

interface FilterInputProps {
  filter: ListFilter;
  value: string[];
  onChange: (value: string | string[]) => void;
  fault: string | undefined;
  isFind: boolean;
}

function FilterControl({ filter, value, onChange, fault, isFind }: FilterInputProps) {
  const { name, label, options, proposals, placeholder, isMany = false } = filter;
  const text = isMany ? value.join(" ") : oneOf(value);
  const [typed, setTyped] = useState(text);
  const [known, setKnown] = useState(text);
  // Back and links change the address under the input.
  if (known !== text) {
    setKnown(text);
    setTyped(text);
  }
  const commit = (next: string) => {
    const trimmed = next.trim();
    if (trimmed === text) return;
    onChange(isMany ? trimmed.split(/\s+/).filter((one) => one !== "") : trimmed);
  };
  return (
    <label className={fault === undefined ? "filter" : "filter faulty"}>
      <span>{label}</span>
      {options === undefined ? (
        <input
          name={name}
          value={typed}
          placeholder={placeholder}
          list={proposals && `proposals-${name}`}
          aria-invalid={fault !== undefined}
          data-find={isFind || undefined}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            setTyped(event.target.value);
            // A proposal was chosen, or the field was emptied: nobody presses Enter then.
            if (event.target.value === "" || proposals?.includes(event.target.value)) commit(event.target.value);
          }}
          onBlur={() => commit(typed)}
          onKeyDown={(event) => {
            if (event.key === "Enter") commit(typed);
          }}
        />
      ) : (
        <select
          name={name}
          value={text}
          data-find={isFind || undefined}
          onChange={(event) => onChange(event.target.value)}
        >
          <option value="">any</option>
          {options.map(({ value: option, label: shown }) => (
            <option key={option} value={option}>
              {shown}
            </option>
          ))}
        </select>
      )}
      {proposals && (
        <datalist id={`proposals-${name}`}>
          {proposals.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      {fault !== undefined && (
        <span className="fault" role="alert">
          {fault}
        </span>
      )}
    </label>
  );
}
