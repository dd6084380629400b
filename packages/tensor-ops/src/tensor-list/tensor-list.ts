import { show } from '../check-options';
import { DTypeError } from '../errors';

/** The names that the tensors of a list have as inputs of an operator: `gradients[0]`, `gradients[1]`, ... */
export function itemNames(list: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${list}[${i}]`);
}

/** The items of a list among the inputs of a call, in order. */
export function itemsOf<Item>(list: string, inputs: Readonly<Record<string, Item>>): Item[] {
  const items: Item[] = [];
  for (let item = inputs[`${list}[0]`]; item !== undefined; item = inputs[`${list}[${items.length}]`]) items.push(item);
  return items;
}

/**
 * One operator per length of a list. A contract names every input, so each length has its own; it is declared when it is first asked for.
 *
 * @param define - declares the operator for a number of tensors, 1 or more.
 */
export function operatorPerLength<Operator>(define: (count: number) => Operator): (count: number) => Operator {
  const operators = new Map<number, Operator>();
  return (count) => {
    let operator = operators.get(count);
    if (operator === undefined) operators.set(count, (operator = define(count)));
    return operator;
  };
}

/** @throws DTypeError unless the value is an array. */
export function checkList(functionName: string, name: string, list: unknown): asserts list is readonly unknown[] {
  if (!Array.isArray(list)) throw new DTypeError(`${functionName}: ${name} must be an array of tensors, got ${show(list)}`);
}
