import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';

/** The words of an axis string: `'batch time dim'` is `['batch', 'time', 'dim']`. */
export type AxisWords<Axes extends string> = Axes extends ''
  ? []
  : Axes extends `${infer First} ${infer Rest}`
    ? [First, ...AxisWords<Rest>]
    : [Axes];

/** The tensor type with as many axes as the axis string has words. */
export type TensorOf<Axes extends string> = string extends Axes
  ? Tensor
  : Axes extends `${string}...${string}`
    ? Tensor
    : [Scalar, Tensor1D, Tensor2D, Tensor3D, Tensor4D, Tensor5D, Tensor][AxisWords<Axes>['length'] & (0 | 1 | 2 | 3 | 4 | 5)];

/** Named axis strings; a name that ends in `?` is optional. */
export type AxisContract = Readonly<Record<string, string>>;

type OptionalName<Key> = Key extends `${infer Name}?` ? Name : never;
type RequiredName<Key> = Key extends `${string}?` ? never : Key;

type Flat<Type> = { [Key in keyof Type]: Type[Key] };

/** The tensors that an axis contract asks for, by name. */
export type TensorsOf<Contract extends AxisContract> = Flat<
  {
    [Key in keyof Contract as RequiredName<Key>]: TensorOf<Contract[Key]>;
  } & {
    [Key in keyof Contract as OptionalName<Key>]?: TensorOf<Contract[Key]> | undefined;
  }
>;

/** One argument of a contract, its axis string split into words. */
export interface ArgumentAxes {
  readonly name: string;
  readonly optional: boolean;
  readonly axes: readonly string[];
}

/** The words of `axes`; none for a scalar. */
export function splitAxes(axes: string): string[] {
  return axes === '' ? [] : axes.split(' ');
}

/** Splits a contract once, so that a call need not. */
export function parseContract(contract: AxisContract): readonly ArgumentAxes[] {
  return Object.entries(contract).map(([key, axes]) => ({
    name: key.replace(/\?$/, ''),
    optional: key.endsWith('?'),
    axes: splitAxes(axes),
  }));
}

/** Sizes by axis word; for a group of axes the product of its sizes. */
export type AxisSizes = Record<string, number>;

/** What the axes of a call are bound to. */
export interface BoundAxes {
  readonly sizes: AxisSizes;
  /** The sizes of each group of axes: a word that starts with `...` stands for any number of them. */
  readonly groups: Record<string, readonly number[]>;
}

/** Whether a word stands for any number of axes. */
export const isGroup = (word: string): boolean => word.startsWith('...');

/** The shape that axis words stand for. A numeral is a fixed size: `'batch 3 dim'`. */
export function shapeOfAxes(axes: readonly string[], { sizes, groups }: BoundAxes): number[] {
  return axes.flatMap((word) => groups[word] ?? [sizes[word] ?? Number(word)]);
}
