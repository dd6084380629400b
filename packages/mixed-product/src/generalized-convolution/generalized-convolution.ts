import { bindShapes, checkOptions, checkTensor, matMul, OptionError } from '@mixfold/tensor-ops';
import { Tensor, type Tensor1D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { fullParameter, type Parameter } from '../parameter/parameter';
import { type Stages, stagesOf } from '../parameter/stages';
import { addBias } from '../tape/add-bias';
import { permuted, viewAs, zerosOf } from '../tape/views';
import { coreCosts, costOfStages, type EvaluationOrder } from './convolution-cost';

/** How a structured convolution is made. */
export interface ConvolutionOptions {
  /** `[outputDim]`, added to every output node. */
  readonly bias?: Tensor1D | undefined;
  /** Default `'auto'`: whatever costs least. */
  readonly order?: EvaluationOrder | 'auto' | undefined;
}

const orders = ['auto', 'basisFirst', 'parameterFirst', 'factored'] as const;

/**
 * Convolution over a structure: every graph of the basis carries the input to the output nodes, every term of the parameter mixes its channels.
 * Grids, graphs and attention differ in the basis alone.
 *
 * $$ y = \sum_k A_k^\top x\, \Theta_k + 1 \otimes \beta, \qquad y_{nq} = \sum_{k,m,p} A_{kmn}\, x_{mp}\, \Theta_{kpq} + \beta_q $$
 *
 * @param x - `[batch, M, P]`, float32: M input nodes with P channels.
 * @param basis - K graphs from M input to N output nodes, `A_k[m, n]` the weight of the edge from m to n.
 * @param theta - `[K, P, Q]`, or a parameter in factors (`lowRankParameter` and the like).
 * @param options - `bias [Q]`; `order` of evaluation: `'basisFirst'` (the graphs on P channels), `'parameterFirst'` (on Q channels), `'factored'`
 *   (between the factors of a parameter that has some), default `'auto'`, the cheapest by `convolutionCost`.
 * @returns `[batch, N, Q]`. New tensor; the caller disposes it. The order changes rounding alone.
 * @throws ShapeError if x, basis, parameter or bias disagree; OptionError for an unknown option or `'factored'` without factors; DTypeError.
 * @remarks As `convolutionCost` says, per sample; memory O(N K P), O(M K Q) or O((M + N) K D) by order. Differentiable in x, the parameter or its
 *   factors, the bias, and what the basis was made of.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const y = generalizedConvolution(x, gcnBasis({ source, target, nodes }), theta, { bias });
 */
export function generalizedConvolution(
  x: Tensor3D,
  basis: ConvolutionBasis,
  theta: Tensor3D | Parameter,
  options: ConvolutionOptions = {},
): Tensor3D {
  checkOptions('generalizedConvolution', options, { bias: 'tensor', order: orders });
  checkTensor('generalizedConvolution', 'x', x, ['float32']);
  const parameter = theta instanceof Tensor || 'dataId' in theta ? fullParameter(theta as Tensor3D) : theta;
  const { bias, order = 'auto' } = options;
  if (bias !== undefined) checkTensor('generalizedConvolution', 'bias', bias, ['float32']);
  const { terms, inputDim, outputDim } = parameter;
  const { inputSize, outputSize } = basis;
  const batch = x.shape[0];
  bindShapes('generalizedConvolution', {
    x: [x, 'batch source inputDim'],
    ...(basis.samples === null
      ? { basis: [{ shape: [basis.terms, inputSize, outputSize] }, 'terms source target'] }
      : { basis: [{ shape: [basis.samples, basis.terms, inputSize, outputSize] }, 'batch terms source target'] }),
    theta: [{ shape: [terms, inputDim, outputDim] }, 'terms inputDim outputDim'],
    ...(bias === undefined ? {} : { bias: [bias, 'outputDim'] }),
  } as Record<string, readonly [{ shape: number[] }, string]>);
  return tidy(() => {
    const shape = [batch, outputSize, outputDim];
    if ([...shape, inputSize, inputDim].includes(0)) {
      const nothing = zerosOf<Tensor3D>([x, ...Object.values(parameter.factors)], shape);
      return shape.includes(0) ? nothing : addBias(nothing, bias);
    }
    const stages = stagesOf(parameter);
    const cost = costOfStages({ terms, inputSize, outputSize, inputDim, outputDim }, basis.edges, stages);
    const chosen = order === 'auto' ? cost.best : order;
    if (chosen === 'factored' && cost.factored === undefined) {
      throw new OptionError(
        `generalizedConvolution: order 'factored' needs a parameter with factors, got one of the form '${parameter.kind}'; ` +
          'give lowRankParameter or another, or another order',
      );
    }
    return addBias(evaluate[chosen](x, basis, stages), bias);
  });
}

const through = (x: Tensor, matrix: Tensor | null): Tensor => (matrix === null ? x : matMul(x, matrix));

const evaluate: Record<EvaluationOrder, (x: Tensor3D, basis: ConvolutionBasis, stages: Stages) => Tensor3D> = {
  basisFirst(x, basis, { input, core, output }) {
    const carried = through(basis.apply(x), input);
    return through(core.contract(carried as never), output) as Tensor3D;
  },
  parameterFirst(x, basis, { input, core, output }) {
    const mixed = core.expand(through(x, input) as Tensor3D);
    return basis.applySum(through(mixed, output) as never);
  },
  factored(x, basis, stages) {
    const { input, core, output, perTerm } = stages;
    const { terms, inputSize, outputSize, edges } = basis;
    if (perTerm === null) {
      const costs = coreCosts(inputSize, outputSize, edges, core);
      const inner = costs.basisFirst <= costs.parameterFirst ? 'basisFirst' : 'parameterFirst';
      const mixed = evaluate[inner](through(x, input) as Tensor3D, basis, { input: null, core, output: null, perTerm });
      return through(mixed, output) as Tensor3D;
    }
    const [, inputDim, rank] = perTerm.inner.shape;
    const outputDim = perTerm.outer.shape[2];
    const [batch] = x.shape;
    const wide = viewAs(permuted(perTerm.inner, [1, 0, 2]), [inputDim, terms * rank]);
    const carried = basis.applyEach(viewAs(matMul(x, wide), [batch, inputSize, terms, rank]));
    const tall = viewAs(perTerm.outer, [terms * rank, outputDim]);
    return matMul(viewAs(carried, [batch, outputSize, terms * rank]), tall) as Tensor3D;
  },
};
