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
  placeholder: "-24h",
  proposals: ["-15m", "-1h", "-24h", "-7d", "-30d"],
  isFirst: true,
};
const UNTIL: ListFilter = { name: "until", label: "Until", placeholder: "-1h" };

/** What the relay says of a time that it cannot read is about its API; a person may also write `-24h`. */
const TIME_FAULT = "must be a time: -15m, -24h, -7d, or 2026-01-22T12:00:00Z";

/** The filters of each list of the log. */
export const TIME_FILTERS = [SINCE, UNTIL];

/** So many filters stand above a list on a phone, too. More are folded there. */
const FEW = 2;

interface FilterBarProps {
  filters: readonly ListFilter[];
  search: SearchParams;
  onChange: (search: SearchParams) => void;
  /** The fault that the relay found in a filter. */
  faultOf: (name: string) => string | undefined;
}

export function FilterBar({ filters, search, onChange, faultOf }: FilterBarProps) {
  const isUsed = ({ name }: ListFilter) => allOf(search[name]).length > 0;
  const [isUnfolded, setUnfolded] = useState(false);
  const [isOpen, setOpen] = useState(() => filters.some((filter) => filter.isFirst !== true && isUsed(filter)));
  const shown = filters.filter((filter) => isOpen || filter.isFirst === true || isUsed(filter));
  const count = filters.filter(isUsed).length;
  const set = (name: string, value: string | string[]) =>
    onChange({ ...search, [name]: value.length === 0 ? undefined : value });
  return (
    <form
      className={isUnfolded || filters.some(({ name }) => faultOf(name)) ? "filters unfolded" : "filters"}
      role="search"
      onSubmit={(event) => event.preventDefault()}
    >
      {filters.length > FEW && (
        <button type="button" className="unfold" aria-expanded={isUnfolded} onClick={() => setUnfolded(!isUnfolded)}>
          {count === 0 ? "Filters" : `Filters (${count})`}
        </button>
      )}
      {shown.map((filter, index) => (
        <FilterControl
          key={filter.name}
          filter={filter}
          value={allOf(search[filter.name])}
          onChange={(value) => set(filter.name, value)}
          fault={faultOf(filter.name) && (TIME_FILTERS.includes(filter) ? TIME_FAULT : faultOf(filter.name))}
          isFind={index === 0}
        />
      ))}
      <div className="row filter-actions">
        {shown.length < filters.length && (
          <button type="button" className="quiet more-filters" onClick={() => setOpen(true)}>
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
