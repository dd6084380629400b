import {
  bindShapes,
  checkTensor,
  DTypeError,
  defineOperator,
  OptionError,
  ShapeError,
  withImplementation,
} from '@mixfold/tensor-ops';
import { pad, slice, Tensor, type Tensor2D } from '@tensorflow/tfjs-core';

/** A bias of rank `rank` by its factors: `w = u v^T`. No fused kernel makes the table. */
export interface FactoredBias {
  /** `[target, rank]`. */
  readonly u: Tensor2D;
  /** `[source, rank]`. */
  readonly v: Tensor2D;
}

/** The bias of AFT-local inside its window alone. */
export interface BandedBias {
  /** `[time, 2 windowSize - 1]`; column `r` belongs to source `t - (windowSize - 1) + r`. */
  readonly band: Tensor2D;
}

/**
 * The bias of each pair of target and source, in nats, shared by batch and channels: a table `[target, source]`, its factors, or (AFT-local only)
 * its band. What is larger than the sequence is sliced to it, with gradient 0 outside.
 */
export type PositionBias = Tensor2D | FactoredBias | BandedBias;

/** The gradient of `tablePartOperator`. */
export const tablePartBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftTablePartBackward',
  publicName: 'tablePart',
  inputs: { table: 'rows columns', dPart: '...part' },
  attributes: {},
  outputs: { dTable: 'rows columns' },
  compose({ table, dPart }) {
    const [rows, columns] = dPart.shape as [number, number];
    const outside: [number, number][] = [
      [0, table.shape[0] - rows],
      [0, table.shape[1] - columns],
    ];
    return { dTable: pad(dPart, outside) };
  },
});

/** The first rows and columns of a table: a slice whose gradient needs none of tfjs. */
export const tablePartOperator = /* @__PURE__ */ defineOperator({
  name: 'AftTablePart',
  publicName: 'tablePart',
  inputs: { table: 'rows columns' },
  attributes: { rows: 0, columns: 0 },
  outputs: { part: '...part' },
  shapes: (_, { rows, columns }) => ({ '...part': [rows, columns] }),
  compose: ({ table }, { rows, columns }) => ({ part: slice(table, [0, 0], [rows, columns]) }),
  backward: tablePartBackwardOperator,
});

/** What a bias must cover. */
interface BiasSizes {
  readonly target: number;
  readonly source: number;
  /** Of AFT-local. */
  readonly windowSize?: number;
  /** Whether the operator reads a part of a larger one by itself, so that nothing is sliced. */
  readonly whole?: boolean;
}

/** What an operator does with each kind of bias, sliced to the sequence. */
interface BiasForms<Result> {
  dense(positionBias: Tensor2D): Result;
  factored(u: Tensor2D, v: Tensor2D): Result;
  /** Absent where the operator takes no band. */
  banded?(band: Tensor2D): Result;
}

/**
 * Checks a bias, slices it to the sequence, hands it to the form that takes its kind, and frees the slices.
 *
 * @param functionName - The public function; errors begin with it.
 * @throws DTypeError for something else; ShapeError for factors of different ranks, a band of another width, or less than the sequence needs;
 *   OptionError for unknown fields, or a band where none is taken.
 */
export function withPositionBias<Result>(
  functionName: string,
  positionBias: PositionBias,
  { target, source, windowSize = 0, whole = false }: BiasSizes,
  forms: BiasForms<Result>,
): Result {
  const slices: Tensor[] = [];
  /** The first rows and columns of `table`, itself if that is all of it. */
  const part = (name: string, table: Tensor2D, rows: number, columns: number): Tensor2D => {
    checkTensor(functionName, name, table, ['float32']);
    if (whole || (table.shape[0] === rows && table.shape[1] === columns)) return table;
    // It has but one form, also where the operator's fused form is asked for.
    const sliced = withImplementation('composed', () => tablePartOperator.run({ table }, { rows, columns }).part as Tensor2D);
    slices.push(sliced);
    return sliced;
  };
  const covers = (name: string, table: Tensor, sizes: Record<string, number>) => {
    const axes = Object.keys(sizes);
    const short = axes.find((axis, i) => table.shape[i]! < sizes[axis]!);
    if (short === undefined) return;
    const has = table.shape[axes.indexOf(short)];
    throw new ShapeError(
      `${functionName}: ${name} [${table.shape.join(', ')}] covers ${has} on axis '${short}', the sequence has ${sizes[short]}; ` +
        'give a larger one, or a shorter sequence',
    );
  };
  try {
    const fields = fieldsOf(functionName, positionBias, forms.banded !== undefined);
    if (fields.positionBias) {
      bindShapes(functionName, { positionBias: [fields.positionBias, 'target source'] });
      covers('positionBias', fields.positionBias, { target, source });
      return forms.dense(part('positionBias', fields.positionBias, target, source));
    }
    if (fields.band) {
      const width = Math.max(0, 2 * windowSize - 1);
      bindShapes(functionName, { band: [fields.band, `time ${width}`] });
      covers('band', fields.band, { time: target });
      return forms.banded!(part('band', fields.band, target, width));
    }
    const [u, v] = [fields.u!, fields.v!];
    const { rank } = bindShapes(functionName, { u: [u, 'target rank'], v: [v, 'source rank'] });
    covers('u', u, { target });
    covers('v', v, { source });
    return forms.factored(part('u', u, target, rank), part('v', v, source, rank));
  } finally {
    for (const sliced of slices) sliced.dispose();
  }
}

/** The tensors of a bias by name, its kind checked. */
function fieldsOf(functionName: string, positionBias: PositionBias, takesBand: boolean) {
  const kinds = `a Tensor [target, source] or its factors {u, v}${takesBand ? ' or {band}' : ''}`;
  if (positionBias instanceof Tensor || Array.isArray((positionBias as Partial<Tensor> | undefined)?.shape)) {
    return { positionBias: positionBias as Tensor2D };
  }
  if (typeof positionBias !== 'object' || positionBias === null) {
    throw new DTypeError(`${functionName}: positionBias must be ${kinds}, got ${String(positionBias)}`);
  }
  const names = Object.keys(positionBias).sort().join(', ');
  if (names !== 'u, v' && !(takesBand && names === 'band')) {
    const local = names === 'band' ? '; only aftLocal takes a band' : '';
    throw new OptionError(`${functionName}: positionBias must be ${kinds}, got {${names}}${local}`);
  }
  return positionBias as { positionBias?: undefined; u?: Tensor2D; v?: Tensor2D; band?: Tensor2D };
}
