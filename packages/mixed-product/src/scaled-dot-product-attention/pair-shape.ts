import { OptionError, ShapeError } from '@mixfold/tensor-ops';

/** What one number belongs to in a mask or a bias: each axis is that of the attention, or 1 where all share it. */
export type PairShape = readonly [batch: number, heads: number, target: number, source: number];

/** `shape` with axes of 1 in front, up to four. */
export function pairShape(shape: readonly number[]): PairShape {
  return [...new Array<number>(4 - shape.length).fill(1), ...shape] as unknown as PairShape;
}

/** How far it is, in elements, to the next batch entry, head and target; 0 along an axis that is shared. */
export function pairStrides(shape: readonly number[]): readonly [batch: number, head: number, target: number] {
  const [batch, heads, target, source] = pairShape(shape);
  return [batch === 1 ? 0 : heads * target * source, heads === 1 ? 0 : target * source, target === 1 ? 0 : source];
}

/** Refuses a mask or a bias that does not spread over all pairs. */
export function checkPairs(functionName: string, name: string, shape: readonly number[], pairs: PairShape): void {
  const fits =
    shape.length >= 2 &&
    shape.length <= 4 &&
    shape.at(-1) === pairs[3] &&
    pairShape(shape).every((size, axis) => size === 1 || size === pairs[axis]);
  if (fits) return;
  throw new ShapeError(
    `${functionName}: ${name} must spread over [batch heads target source] [${pairs.join(', ')}], got [${shape.join(', ')}]; ` +
      'it takes [target, source], [heads, target, source] or [batch, heads, target, source], where all axes but source may be 1',
  );
}

/** Options that are no tensors. A type alias, for an interface is no record of attributes. */
export type AttentionAttributes = { causal: boolean; scale: number; rate: number; seed: number };

type Shapes = Readonly<Record<string, readonly number[]>>;

/** What axis words cannot say: which masks, biases and numbers of key heads fit. */
export function checkAttention({ query, key, mask, bias }: Shapes, { rate }: AttentionAttributes): Shapes {
  const name = 'scaledDotProductAttention';
  const [batch, heads, target] = query as [number, number, number];
  const [, keyHeads, source] = key as [number, number, number];
  if (rate < 0 || rate >= 1)
    throw new OptionError(`${name}: option dropout.rate must be at least 0 and less than 1, got ${rate}`);
  if (keyHeads === 0 ? heads !== 0 : heads % keyHeads !== 0) {
    throw new ShapeError(
      `${name}: the heads of key must divide those of query, got ${keyHeads} and ${heads}; each key head then serves as many query heads that stand side by side`,
    );
  }
  const pairs = [batch, heads, target, source] as const;
  if (mask) checkPairs(name, 'mask', mask, pairs);
  if (bias) checkPairs(name, 'bias', bias, pairs);
  return {};
}
