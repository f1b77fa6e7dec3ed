// CEL's macros over lists and over the keys of maps: `all`, `exists`, `exists_one`, `filter` and `map`.

import type { ASTNode } from "@marcbachmann/cel-js";

import { EvaluationFault } from "./fault.ts";
import { isMap, keysOf } from "./maps.ts";
import type { EvaluationFailure, Meter } from "./meter.ts";
import { type Compile, decide, type EvaluationStep, type Frame, isFailure, type FilterScope, toBool } from "./step.ts";
import { typeName } from "./values.ts";

/** One argument of a macro after its variable, as a function of the item. */
type ItemStep = (item: unknown) => unknown;
type Macro = (items: readonly unknown[], body: readonly [ItemStep, ItemStep | undefined], frame: Frame) => unknown;

const MACROS: Readonly<Record<string, Macro>> = {
  all: (items, [test], { meter }) => decide(items, false, (item) => toBool(test(item), meter)),
  exists: (items, [test], { meter }) => decide(items, true, (item) => toBool(test(item), meter)),
  exists_one: (items, [test], { meter }) => {
    const found = select(items, test, meter);
    return isFailure(found) ? found : found.length === 1;
  },
  filter: (items, [test], { meter }) => select(items, test, meter),
  map: (items, [first, second], { meter }) => {
    if (second === undefined) return collect(items, first);
    const selected = select(items, first, meter);
    return isFailure(selected) ? selected : collect(selected, second);
  },
};

/** @returns the items for which a test holds, or the failure of the first one that has no result. */
function select(items: readonly unknown[], test: ItemStep, meter: Meter): unknown[] | EvaluationFailure {
  const selected: unknown[] = [];
  for (const item of items) {
    const holds = toBool(test(item), meter);
    if (isFailure(holds)) return holds;
    if (holds) selected.push(item);
  }
  return selected;
}

/** Not `items.map`, which makes room for all items at once, although the first one may fail. */
function collect(items: readonly unknown[], step: ItemStep): unknown[] | EvaluationFailure {
  const results: unknown[] = [];
  for (const item of items) {
    const result = step(item);
    if (isFailure(result)) return result;
    results.push(result);
  }
  return results;
}

export const isMacro = (name: string): boolean => Object.hasOwn(MACROS, name);

/** @throws EvaluationFault when the variable is not a name, or the name is in use. */
export function compileMacro(compile: Compile, node: ASTNode & { op: "rcall" }, scope: FilterScope): EvaluationStep {
  const [name, receiver, [variable, ...body]] = node.args;
  const macro = MACROS[name];
  const [first, second] = body;
  if (macro === undefined || variable?.op !== "id" || first === undefined) {
    throw new EvaluationFault(`${name}() takes the name of a variable and an expression`, node);
  }
  if (scope.slots.has(variable.args))
    throw new EvaluationFault(`the name ${variable.args} is already in use`, variable);
  const range = compile(receiver, scope);
  const slot = scope.slots.size;
  const inner: FilterScope = { ...scope, slots: new Map(scope.slots).set(variable.args, slot) };
  const firstStep = compile(first, inner);
  const secondStep = second && compile(second, inner);
  return (frame) => {
    const container = range(frame);
    if (isFailure(container)) return container;
    if (!Array.isArray(container) && !isMap(container)) {
      throw frame.meter.fail(`${name}() needs a list or a map and got a ${typeName(container)}`);
    }
    const items: readonly unknown[] = Array.isArray(container) ? container : keysOf(container, frame.meter);
    const withItem =
      (step: EvaluationStep): ItemStep =>
      (item) => {
        frame.slots[slot] = item;
        return step(frame);
      };
    return macro(items, [withItem(firstStep), secondStep && withItem(secondStep)], frame);
  };
}
