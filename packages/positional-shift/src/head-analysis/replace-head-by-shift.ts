import { checkOptions, checkTensor, matMul, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { concat, mean, norm, slice, sub, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries, checkOffset } from '../boundary';
import { shift } from '../shift/shift';

/** Options of `replaceHeadByShift`. */
export interface ReplaceHeadOptions {
  /** Which head. */
  readonly head: number;
  /** By which shift, target - source. Null for the control: its mean over targets instead, which knows no position. */
  readonly offset: number | null;
  /** What the shift reads beyond the ends. Default `'replicate'`: as a softmax does, it always reads something. */
  readonly boundary?: Boundary | undefined;
  /** What the model goes on to make of the heads' outputs `[batch, heads, target, headDim]`. Default: nothing. */
  readonly output?: ((contexts: Tensor4D) => Tensor) | undefined;
  /** The loss of that. */
  readonly loss?: ((output: Tensor) => Tensor) | undefined;
}

/** What happens if a head is replaced. */
export interface HeadReplacement {
  /** |after - before| / |before| of the head's own output. */
  readonly headChange: number;
  /** The same of the output of the model. */
  readonly outputChange: number;
  /** With a loss: before, after, and the difference. */
  readonly lossBefore?: number;
  readonly lossAfter?: number;
  readonly lossChange?: number;
}

/**
 * Replaces one attention head by a true shift of its values, and tells what changes: the decisive test of whether the head acts like one.
 *
 * @param patterns - `[batch, heads, target, source]`, rows adding up to 1; target and source of one length.
 * @param values - `[batch, heads, source, headDim]`.
 * @param options - `head`, `offset`; `boundary` (default `'replicate'`); `output` and `loss`, the rest of the model.
 * @returns Relative changes of the head and of the output, and the losses.
 * @throws ShapeError if the arguments do not fit; OptionError; DTypeError.
 * @see Raganato et al. 2020, https://arxiv.org/abs/2002.10260, who fix patterns of heads
 * @example
 * const { lossChange } = await replaceHeadByShift(patterns, values, { head: 3, offset: 1, output: restOfModel, loss });
 */
export async function replaceHeadByShift(
  patterns: Tensor4D,
  values: Tensor4D,
  options: ReplaceHeadOptions,
): Promise<HeadReplacement> {
  checkOptions('replaceHeadByShift', options, {
    head: 'nonNegativeInteger',
    offset: 'unchecked',
    boundary: boundaries,
    output: 'unchecked',
    loss: 'unchecked',
  });
  checkTensor('replaceHeadByShift', 'patterns', patterns, ['float32']);
  checkTensor('replaceHeadByShift', 'values', values, ['float32']);
  const { head, offset, boundary = 'replicate', output = (contexts: Tensor4D): Tensor => contexts, loss } = options ?? {};
  const [batch, heads, target, source] = patterns.shape;
  if (
    patterns.rank !== 4 ||
    values.rank !== 4 ||
    target !== source ||
    values.shape.slice(0, 3).join() !== [batch, heads, source].join()
  ) {
    throw new ShapeError(
      'replaceHeadByShift: patterns must be [batch heads target source], square, and values [batch heads source headDim], ' +
        `got [${patterns.shape.join(', ')}] and [${values.shape.join(', ')}]`,
    );
  }
  if (!(head < heads))
    throw new OptionError(`replaceHeadByShift: option head must be below ${heads}, the number of heads, got ${head}`);
  if (offset !== null) checkOffset('replaceHeadByShift', 'option offset', offset, source, boundary);
  const results = tidy(() => {
    const before = matMul(patterns, values) as Tensor4D;
    const own = slice(before, [0, head, 0, 0], [-1, 1, -1, -1]);
    const given = slice(values, [0, head, 0, 0], [-1, 1, -1, -1]);
    const replaced = offset === null ? meanOverTargets(own) : shift(given, offset, { axis: 2, boundary });
    const parts = [
      ...(head > 0 ? [slice(before, [0, 0, 0, 0], [-1, head, -1, -1])] : []),
      replaced,
      ...(head + 1 < heads ? [slice(before, [0, head + 1, 0, 0], [-1, -1, -1, -1])] : []),
    ];
    const [first, second] = [output(before), output(concat(parts, 1) as Tensor4D)];
    const ratio = (a: Tensor, b: Tensor) => [norm(sub(b, a)), norm(a)];
    return [...ratio(own, replaced), ...ratio(first, second), ...(loss ? [loss(first), loss(second)] : [])];
  });
  const numbers = await Promise.all(results.map(async (x) => (await x.data())[0]!));
  for (const result of results) result.dispose();
  const [headDifference, headSize, difference, size, lossBefore, lossAfter] = numbers as number[];
  const relative = (change: number, of: number) => (of > 0 ? change / of : change > 0 ? Number.POSITIVE_INFINITY : 0);
  return {
    headChange: relative(headDifference!, headSize!),
    outputChange: relative(difference!, size!),
    ...(loss ? { lossBefore: lossBefore!, lossAfter: lossAfter!, lossChange: lossAfter! - lossBefore! } : {}),
  };
}

/** Each target gets the mean over all of them. */
function meanOverTargets(own: Tensor): Tensor {
  const average = mean(own, 2, true);
  return concat(
    Array.from({ length: own.shape[2]! }, () => average),
    2,
  );
}
