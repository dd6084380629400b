import type { ArgumentAxes, AxisWords } from './axes';
import { splitAxes } from './axes';
import { show } from './check-options';
import { DTypeError, ShapeError } from './errors';

interface Shaped {
  readonly shape: readonly number[];
}

/** Sizes by axis word. */
export type AxisSizes = Record<string, number>;

function shapeTable(
  functionName: string,
  problem: string,
  bound: readonly ArgumentAxes[],
  values: Record<string, Shaped>,
): never {
  const present = bound.filter((argument) => values[argument.name] !== undefined);
  const rows = present.map((argument) => [
    argument.name,
    `[${argument.axes.join(' ')}]`,
    `[${values[argument.name]!.shape.join(', ')}]`,
  ]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column]!.length));
  const table = rows.map((row) => `\n  ${row[0]!.padEnd(width(0))}  ${row[1]!.padEnd(width(1))}  ${row[2]}`).join('');
  throw new ShapeError(`${functionName}: ${problem}${table}`);
}

/** Checks `values` against a parsed contract and returns the size of every axis. */
export function bindContract(functionName: string, contract: readonly ArgumentAxes[], values: Record<string, Shaped>): AxisSizes {
  const sizes: AxisSizes = {};
  const owner: Record<string, string> = {};
  for (const { name, axes } of contract) {
    const shape = values[name]?.shape;
    if (shape === undefined) continue;
    if (shape.length !== axes.length) {
      const expected = `must have ${axes.length} ${axes.length === 1 ? 'axis' : 'axes'} [${axes.join(' ')}]`;
      shapeTable(functionName, `${name} ${expected}, got ${shape.length}`, contract, values);
    }
    for (let i = 0; i < axes.length; i++) {
      const word = axes[i]!;
      const size = shape[i]!;
      const fixed = Number(word);
      if (!Number.isNaN(fixed)) {
        if (size !== fixed) shapeTable(functionName, `axis ${i} of ${name} must be ${fixed}, got ${size}`, contract, values);
      } else if (sizes[word] === undefined) {
        sizes[word] = size;
        owner[word] = name;
      } else if (sizes[word] !== size) {
        const where =
          owner[word] === name
            ? `${sizes[word]} and ${size} in ${name}`
            : `${sizes[word]} in ${owner[word]} but ${size} in ${name}`;
        shapeTable(functionName, `axis '${word}' is ${where}`, contract, values);
      }
    }
  }
  return sizes;
}

/**
 * Checks that every argument has the axes it should have and that axes of one name have one size.
 *
 * @param functionName - The public function, as its user calls it; errors begin with it.
 * @param bindings - Per argument its tensor and its axis string, such as `[query, 'batch time dim']`. A numeral is a fixed size.
 * @returns The size of every named axis.
 * @throws ShapeError with the rule, the sizes found and a table of all arguments; DTypeError if something is not a tensor.
 * @example
 * const { batch, time } = bindShapes('shift', { x: [x, 'batch time dim'] });
 */
export function bindShapes<const Bindings extends Record<string, readonly [Shaped, string]>>(
  functionName: string,
  bindings: Bindings,
): { [Word in AxisWords<Bindings[keyof Bindings][1]>[number]]: number } {
  const contract: ArgumentAxes[] = [];
  const values: Record<string, Shaped> = {};
  for (const [name, [tensor, axes]] of Object.entries(bindings)) {
    if (!Array.isArray(tensor?.shape)) throw new DTypeError(`${functionName}: ${name} must be a Tensor, got ${show(tensor)}`);
    contract.push({ name, optional: false, axes: splitAxes(axes) });
    values[name] = tensor;
  }
  return bindContract(functionName, contract, values) as never;
}
