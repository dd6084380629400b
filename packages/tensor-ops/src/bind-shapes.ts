import { type ArgumentAxes, type AxisSizes, type AxisWords, type BoundAxes, isGroup, splitAxes } from './axes';
import { show } from './check-options';
import { DTypeError, ShapeError } from './errors';

interface Shaped {
  readonly shape: readonly number[];
}

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

/** Checks `values` against a parsed contract and returns what its axes are bound to. */
export function bindContract(functionName: string, contract: readonly ArgumentAxes[], values: Record<string, Shaped>): BoundAxes {
  const sizes: AxisSizes = {};
  const groups: Record<string, readonly number[]> = {};
  const owner: Record<string, string> = {};
  const fail = (problem: string) => shapeTable(functionName, problem, contract, values);
  const bind = (word: string, name: string, size: number) => {
    if (sizes[word] === undefined) {
      sizes[word] = size;
      owner[word] = name;
    } else if (sizes[word] !== size) {
      const where =
        owner[word] === name
          ? `${sizes[word]} and ${size} in ${name}`
          : `${sizes[word]} in ${owner[word]} but ${size} in ${name}`;
      fail(`axis '${word}' is ${where}`);
    }
  };
  for (const { name, axes } of contract) {
    const shape = values[name]?.shape;
    if (shape === undefined) continue;
    const group = axes.findIndex(isGroup);
    const spare = shape.length - axes.length;
    if (group < 0 ? spare !== 0 : spare < -1) {
      const count = group < 0 ? axes.length : axes.length - 1;
      const expected = `must have ${group < 0 ? '' : 'at least '}${count} ${count === 1 ? 'axis' : 'axes'} [${axes.join(' ')}]`;
      fail(`${name} ${expected}, got ${shape.length}`);
    }
    for (const [i, word] of axes.entries()) {
      const at = group >= 0 && i > group ? i + spare : i;
      const fixed = Number(word);
      if (i === group) {
        const grouped = shape.slice(i, i + spare + 1);
        const known = groups[word];
        if (known !== undefined && known.join() !== grouped.join()) {
          fail(`axes '${word}' are [${known.join(', ')}] in ${owner[word]} but [${grouped.join(', ')}] in ${name}`);
        }
        groups[word] = grouped;
        bind(
          word,
          name,
          grouped.reduce((product, size) => product * size, 1),
        );
      } else if (!Number.isNaN(fixed)) {
        if (shape[at] !== fixed) fail(`axis ${at} of ${name} must be ${fixed}, got ${shape[at]}`);
      } else {
        bind(word, name, shape[at]!);
      }
    }
  }
  return { sizes, groups };
}

/**
 * Checks that every argument has the axes it should have and that axes of one name have one size.
 *
 * @param functionName - The public function, as its user calls it; errors begin with it.
 * @param bindings - Per argument its tensor and its axis string, such as `[query, 'batch time dim']`. A numeral is a fixed size,
 *   and a word that starts with `...` any number of axes.
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
  return bindContract(functionName, contract, values).sizes as never;
}
