import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import type { Stages } from '../parameter/stages';

/** In which order a convolution is evaluated: the graphs on the channels of the input, on those of the output, or between the factors of the parameter. */
export type EvaluationOrder = 'basisFirst' | 'parameterFirst' | 'factored';

/** Multiply-adds of one sample, by order; `factored` only where the parameter has factors. */
export interface ConvolutionCost {
  readonly basisFirst: number;
  readonly parameterFirst: number;
  readonly factored?: number;
  /** The cheapest; the first of equals. */
  readonly best: EvaluationOrder;
}

/** The sizes of a structured convolution. */
export interface ConvolutionDims {
  /** Graphs, K. */
  readonly terms: number;
  /** Input nodes, M. */
  readonly inputSize: number;
  /** Output nodes, N. */
  readonly outputSize: number;
  /** Channels of the input, P. */
  readonly inputDim: number;
  /** Channels of the output, Q. */
  readonly outputDim: number;
  /** Rank per term, where the parameter is of low rank. */
  readonly rank?: number | undefined;
}

const dimRules = {
  terms: 'positiveInteger',
  inputSize: 'nonNegativeInteger',
  outputSize: 'nonNegativeInteger',
  inputDim: 'nonNegativeInteger',
  outputDim: 'nonNegativeInteger',
  rank: 'positiveInteger',
} as const;

/**
 * What a structured convolution costs in each order of evaluation.
 *
 * @param dims - The sizes; `rank` for a parameter of low rank per term.
 * @param edges - Edges of all graphs, `ConvolutionBasis.edges`: terms inputSize outputSize if they are dense.
 * @returns Multiply-adds of one sample: `edges P + N K P Q`, `M K P Q + edges Q`, and for a low rank `M K P D + edges D + N K D Q`.
 * @throws OptionError for sizes that are not integers.
 * @example
 * convolutionCost({ terms: 9, inputSize: 1024, outputSize: 1024, inputDim: 64, outputDim: 256 }, 9 * 1024).best; // 'basisFirst'
 */
export function convolutionCost(dims: ConvolutionDims, edges: number): ConvolutionCost {
  checkOptions('convolutionCost', dims, dimRules);
  for (const name of ['terms', 'inputSize', 'outputSize', 'inputDim', 'outputDim'] as const) {
    if (dims[name] === undefined) throw new OptionError(`convolutionCost: dims.${name} is needed`);
  }
  if (!(Number.isFinite(edges) && edges >= 0))
    throw new OptionError(`convolutionCost: edges must be a number, 0 or above, got ${edges}`);
  const { terms, inputSize, outputSize, inputDim, outputDim, rank } = dims;
  const full = terms * inputDim * outputDim;
  return cheapest({
    basisFirst: edges * inputDim + outputSize * full,
    parameterFirst: inputSize * full + edges * outputDim,
    ...(rank === undefined
      ? {}
      : { factored: inputSize * terms * inputDim * rank + edges * rank + outputSize * terms * rank * outputDim }),
  });
}

/** The same of a parameter's stages. */
export function costOfStages(
  { terms, inputSize, outputSize, inputDim, outputDim }: ConvolutionDims,
  edges: number,
  stages: Stages,
) {
  const { input, core, output, perTerm } = stages;
  const before = input === null ? 0 : inputDim * core.inputDim;
  const behind = output === null ? 0 : core.outputDim * outputDim;
  const costs = {
    basisFirst: edges * inputDim + outputSize * (terms * before + core.cost + behind),
    parameterFirst: inputSize * (before + core.cost + terms * behind) + edges * outputDim,
  };
  if (perTerm !== null) {
    const rank = perTerm.inner.shape[2];
    return cheapest({
      ...costs,
      factored: inputSize * terms * inputDim * rank + edges * rank + outputSize * terms * rank * outputDim,
    });
  }
  if (input === null && output === null) return cheapest(costs);
  const inner = Math.min(...Object.values(coreCosts(inputSize, outputSize, edges, core)));
  return cheapest({ ...costs, factored: inputSize * before + inner + outputSize * behind });
}

/** The costs of both orders around the core alone. */
export const coreCosts = (inputSize: number, outputSize: number, edges: number, core: Stages['core']) => ({
  basisFirst: edges * core.inputDim + outputSize * core.cost,
  parameterFirst: inputSize * core.cost + edges * core.outputDim,
});

function cheapest(costs: Omit<ConvolutionCost, 'best'>): ConvolutionCost {
  const orders = Object.entries(costs) as [EvaluationOrder, number][];
  const [best] = orders.reduce((least, order) => (order[1] < least[1] ? order : least));
  return { ...costs, best };
}
