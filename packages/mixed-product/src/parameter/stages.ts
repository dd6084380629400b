import { matMul } from '@mixfold/tensor-ops';
import { expandDims, mul, reshape, sum, type Tensor, type Tensor2D, type Tensor3D, type Tensor4D } from '@tensorflow/tfjs-core';
import { columnSums } from '../tape/add-bias';
import { differentiable } from '../tape/linear-map';
import { permuted, viewAs } from '../tape/views';
import type { Parameter } from './parameter';

/** What a parameter does to each term, between a map of the input channels and one of the output's that all terms share. */
export interface Core {
  /** Multiply-adds per node for all terms. */
  readonly cost: number;
  readonly inputDim: number;
  readonly outputDim: number;
  /** `u [batch, N, K, inputDim]` to `[batch, N, outputDim]`: the sum over the terms. */
  contract(u: Tensor4D): Tensor3D;
  /** `x [batch, M, inputDim]` to `[batch, M, K, outputDim]`. */
  expand(x: Tensor3D): Tensor4D;
}

/** A parameter as the stages it is applied in. */
export interface Stages {
  /** `[P, D]`, before the core; null if there is none. */
  readonly input: Tensor2D | null;
  readonly core: Core;
  /** `[D', Q]`, behind it; null if there is none. */
  readonly output: Tensor2D | null;
  /** For a low rank per term: the basis may stand between its factors, `inner [K, P, D]` and `outer [K, D, Q]`. */
  readonly perTerm: { readonly inner: Tensor3D; readonly outer: Tensor3D } | null;
}

/** The stages of a parameter; tensors made here lie on the tape and in the caller's tidy. */
export function stagesOf({ kind, terms, factors }: Parameter): Stages {
  const none = { input: null, output: null, perTerm: null };
  const turned = (factor: Tensor) => permuted(factor, factor.rank === 2 ? [1, 0] : [0, 2, 1]);
  switch (kind) {
    case 'full':
      return { ...none, core: fullCore(factors.theta as Tensor3D) };
    case 'lowRank': {
      const { u, v } = factors as Record<'u' | 'v', Tensor3D>;
      const whole = matMul(u, v, { transposeB: true }) as Tensor3D;
      return { ...none, core: fullCore(whole), perTerm: { inner: u, outer: turned(v) as Tensor3D } };
    }
    case 'sharedLowRank':
      return { ...none, input: factors.u as Tensor2D, core: fullCore(turned(factors.v!) as Tensor3D) };
    case 'depthwise':
      return { ...none, core: depthwiseCore(factors.theta as Tensor2D) };
    case 'separable':
      return { ...none, core: depthwiseCore(factors.depthwise as Tensor2D), output: factors.pointwise as Tensor2D };
    case 'grouped':
      return { ...none, core: groupedCore(factors.theta as Tensor4D) };
    case 'cp': {
      const core = depthwiseCore(factors.mixing as Tensor2D);
      return { ...none, input: factors.u as Tensor2D, core, output: turned(factors.v!) as Tensor2D };
    }
    case 'tucker': {
      const [, inner, outer] = (factors.core as Tensor3D).shape;
      const own = matMul(factors.terms!, viewAs(factors.core!, [factors.core!.shape[0]!, inner * outer]));
      const core = fullCore(viewAs(own, [terms, inner, outer]));
      return { ...none, input: factors.input as Tensor2D, core, output: turned(factors.output!) as Tensor2D };
    }
  }
}

/** A matrix per term. */
function fullCore(theta: Tensor3D): Core {
  const [terms, inputDim, outputDim] = theta.shape;
  return {
    cost: terms * inputDim * outputDim,
    inputDim,
    outputDim,
    contract(u) {
      const [batch, nodes] = u.shape;
      const rows = viewAs(u, [batch, nodes, terms * inputDim]);
      return matMul(rows, viewAs(theta, [terms * inputDim, outputDim])) as Tensor3D;
    },
    expand(x) {
      const [batch, nodes] = x.shape;
      const wide = viewAs(permuted(theta, [1, 0, 2]), [inputDim, terms * outputDim]);
      return viewAs(matMul(x, wide), [batch, nodes, terms, outputDim]);
    },
  };
}

/** A number per term and channel. */
function depthwiseCore(theta: Tensor2D): Core {
  const [terms, dim] = theta.shape;
  return {
    cost: terms * dim,
    inputDim: dim,
    outputDim: dim,
    contract: (u) =>
      differentiable(
        [u, theta],
        ([given, taps]) => sum(mul(given!, taps!), 2),
        (dResult, [given, taps]) => {
          const spread = expandDims(dResult, 2);
          return [mul(spread, taps!), termSums(mul(given!, spread), terms, dim)];
        },
      ),
    expand: (x) =>
      differentiable(
        [x, theta],
        ([given, taps]) => mul(expandDims(given!, 2), taps!),
        (dResult, [given, taps]) => [sum(mul(dResult, taps!), 2), termSums(mul(dResult, expandDims(given!, 2)), terms, dim)],
      ),
  };
}

/** The sum over all axes but the last two. */
const termSums = (x: Tensor, terms: number, dim: number): Tensor =>
  reshape(columnSums(reshape(x, [-1, terms * dim])), [terms, dim]);

/** A matrix per term and group of channels. */
function groupedCore(theta: Tensor4D): Core {
  const [terms, groups, inner, outer] = theta.shape;
  return {
    cost: terms * groups * inner * outer,
    inputDim: groups * inner,
    outputDim: groups * outer,
    contract(u) {
      const [batch, nodes] = u.shape;
      const split = permuted(viewAs(u, [batch * nodes, terms, groups, inner]), [2, 0, 1, 3]);
      const rows = viewAs(split, [groups, batch * nodes, terms * inner]);
      const blocks = viewAs(permuted(theta, [1, 0, 2, 3]), [groups, terms * inner, outer]);
      return viewAs(permuted(matMul(rows, blocks), [1, 0, 2]), [batch, nodes, groups * outer]);
    },
    expand(x) {
      const [batch, nodes] = x.shape;
      const rows = permuted(viewAs(x, [batch * nodes, groups, inner]), [1, 0, 2]);
      const blocks = viewAs(permuted(theta, [1, 2, 0, 3]), [groups, inner, terms * outer]);
      const made = viewAs(matMul(rows, blocks), [groups, batch * nodes, terms, outer]);
      return viewAs(permuted(made, [1, 2, 0, 3]), [batch, nodes, terms, groups * outer]);
    },
  };
}
