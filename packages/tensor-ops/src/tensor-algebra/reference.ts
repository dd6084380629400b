import type { ShapedValues } from '@mixfold/testing';

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);

/** `einsum` in float64 by the definition, for an equation with one letter per axis and an output. */
export function einsumReference(equation: string, operands: readonly ShapedValues[]): { shape: number[]; data: Float64Array } {
  const walk = walkOf(equation, operands);
  const data = new Float64Array(product(walk.shape));
  walk.each((places, at) => {
    data[at]! += operands.reduce((term, { data: values }, i) => term * values[places[i]!]!, 1);
  });
  return { shape: walk.shape, data };
}

/** The gradient of every operand for the cotangent `dy`. */
export function einsumGradientReference(equation: string, operands: readonly ShapedValues[], dy: ShapedValues): ShapedValues[] {
  const gradients = operands.map(({ shape }) => ({ shape, data: new Float64Array(product(shape)) }));
  walkOf(equation, operands).each((places, at) => {
    for (const [i, { data }] of gradients.entries()) {
      const others = operands.reduce((term, other, j) => (i === j ? term : term * other.data[places[j]!]!), 1);
      data[places[i]!]! += others * dy.data[at]!;
    }
  });
  return gradients;
}

/** Visits every combination of labels with the element of each operand and of the output. */
function walkOf(equation: string, operands: readonly ShapedValues[]) {
  const [left, output] = equation.split('->') as [string, string];
  const terms = left.split(',');
  const sizes: Record<string, number> = {};
  terms.forEach((term, i) => {
    [...term].forEach((label, axis) => {
      const size = operands[i]!.shape[axis]!;
      if (sizes[label] === undefined || sizes[label] === 1) sizes[label] = size;
    });
  });
  const labels = Object.keys(sizes);
  const shape = [...output].map((label) => sizes[label]!);
  const steps = (term: string, own: readonly number[]) =>
    labels.map((label) =>
      [...term].reduce((step, other, axis) => {
        return step + (other === label && own[axis] !== 1 ? product(own.slice(axis + 1)) : 0);
      }, 0),
    );
  const strides = [...terms.map((term, i) => steps(term, operands[i]!.shape)), steps(output, shape)];
  return {
    shape,
    each(visit: (places: readonly number[], at: number) => void) {
      const count = product(labels.map((label) => sizes[label]!));
      for (let n = 0; n < count; n++) {
        let rest = n;
        const places = strides.map(() => 0);
        for (let i = labels.length - 1; i >= 0; i--) {
          const index = rest % sizes[labels[i]!]!;
          rest = Math.floor(rest / sizes[labels[i]!]!);
          strides.forEach((stride, k) => {
            places[k]! += index * stride[i]!;
          });
        }
        visit(places, places.at(-1)!);
      }
    },
  };
}
