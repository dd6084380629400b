/** Row-major float64 inputs by name. */
export type PlainInputs = Record<string, ArrayLike<number>>;

export interface NumericalGradientOptions {
  /** Weights of the outputs; `sum(output * cotangent)` is differentiated. Default: all ones. */
  readonly cotangent?: ArrayLike<number>;
  /** Which inputs to differentiate. Default: all. */
  readonly of?: readonly string[];
  /** Distance between the points of the stencil. */
  readonly step?: number;
}

/**
 * Gradient of a plain float64 function by central differences of fourth order.
 *
 * With the default step the truncation error is about 1e-13 times the fifth derivative, and rounding about as much: far below
 * any float32 bound, so that a disagreement is the gradient's own.
 *
 * @param f - maps the inputs to one number or to row-major outputs. It must not keep or change its inputs.
 * @returns one array per differentiated input, of its length.
 * @remarks Calls `f` four times per input element.
 */
export function numericalGradient<I extends PlainInputs>(
  f: (inputs: { [K in keyof I]: Float64Array }) => ArrayLike<number> | number,
  inputs: I,
  { cotangent, of = Object.keys(inputs), step = 1e-3 }: NumericalGradientOptions = {},
): Record<string, Float64Array> {
  const at = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, Float64Array.from(data)]));
  const value = () => weightedSum(f(at as { [K in keyof I]: Float64Array }), cotangent);
  return Object.fromEntries(
    of.map((name) => {
      const data = at[name];
      if (!data) throw new RangeError(`numericalGradient: no input '${name}' among ${Object.keys(at).join(', ')}`);
      return [name, data.map((_, i) => slope(data, i, step, value))];
    }),
  );
}

function slope(data: Float64Array, i: number, step: number, value: () => number): number {
  const centre = data[i]!;
  const shifted = (by: number): number => {
    data[i] = centre + by;
    return value();
  };
  const near = shifted(step) - shifted(-step);
  const far = shifted(2 * step) - shifted(-2 * step);
  data[i] = centre;
  return (8 * near - far) / (12 * step);
}

function weightedSum(output: ArrayLike<number> | number, cotangent: ArrayLike<number> | undefined): number {
  if (typeof output === 'number') return output * (cotangent?.[0] ?? 1);
  if (cotangent && cotangent.length !== output.length) {
    throw new RangeError(`numericalGradient: cotangent has ${cotangent.length} values, the output ${output.length}`);
  }
  let sum = 0;
  for (let i = 0; i < output.length; i++) sum += output[i]! * (cotangent?.[i] ?? 1);
  return sum;
}
