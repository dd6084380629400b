import { layerNorm, type OptionRule } from '@mixfold/tensor-ops';
import type { LayerVariable } from '@mixfold/tensor-ops/layers';
import { add, mul, type serialization, type Tensor1D, type Tensor3D } from '@tensorflow/tfjs-core';
import { initializers } from '@tensorflow/tfjs-layers';
import type { SubspaceLayerArgs } from './subspace-args';
import { type Attend, SubspaceLayer } from './subspace-layer';

/** What blocks with a residual are configured by. */
export interface ResidualArgs extends SubspaceLayerArgs {
  /** Layer norm before the attention (`'pre'`, the default), before and after it (`'sandwich'`, for deep stacks), or nowhere (`'none'`, as in the theory). */
  norm?: 'pre' | 'none' | 'sandwich';
  /** What the attention is multiplied by before it is added, eta. Default 1. */
  stepSize?: number;
  /** Whether the step size is learned, from there on. Default false. */
  learnStepSize?: boolean;
}

const rules: Record<string, OptionRule> = {
  norm: ['pre', 'none', 'sandwich'],
  stepSize: 'finite',
  learnStepSize: 'boolean',
};

interface Norm {
  readonly gain: LayerVariable;
  readonly bias: LayerVariable;
}

/** Attention with a residual: `x + eta attend(norm(x))`. */
export abstract class ResidualLayer extends SubspaceLayer {
  protected readonly norm: NonNullable<ResidualArgs['norm']>;
  readonly #stepSize: number;
  readonly #learnStepSize: boolean;
  readonly #norms: Record<string, Norm> = {};
  #step: LayerVariable | undefined;

  constructor(args: ResidualArgs, ownRules: Record<string, OptionRule>) {
    super(args, { ...rules, ...ownRules });
    this.norm = args.norm ?? 'pre';
    this.#stepSize = args.stepSize ?? 1;
    this.#learnStepSize = args.learnStepSize ?? false;
  }

  protected override addOwnWeights(dim: number): void {
    if (this.norm !== 'none') this.addNorm('norm', dim);
    if (this.norm === 'sandwich') this.addNorm('outputNorm', dim);
    const constant = initializers.constant({ value: this.#stepSize });
    if (this.#learnStepSize) this.#step = this.addWeight('stepSize', [1], 'float32', constant);
  }

  protected addNorm(name: string, dim: number): void {
    this.#norms[name] = {
      gain: this.addWeight(`${name}Gain`, [dim], 'float32', initializers.ones()),
      bias: this.addWeight(`${name}Bias`, [dim], 'float32', initializers.zeros()),
    };
  }

  /** Layer norm by the weights of a name; without such weights the tokens as they are. */
  protected normalized(name: string, tokens: Tensor3D): Tensor3D {
    const norm = this.#norms[name];
    if (!norm) return tokens;
    return layerNorm(tokens, norm.gain.read() as Tensor1D, norm.bias.read() as Tensor1D) as Tensor3D;
  }

  protected override attended(tokens: Tensor3D): Tensor3D {
    return this.normalized('norm', tokens);
  }

  /** The tokens and what the attention adds to them. */
  protected denoised(tokens: Tensor3D, attend: Attend): Tensor3D {
    const mixed = this.normalized('outputNorm', attend(this.attended(tokens)));
    if (this.#step) return add(tokens, mul(mixed, this.#step.read()));
    return add(tokens, this.#stepSize === 1 ? mixed : mul(mixed, this.#stepSize));
  }

  override getConfig(): serialization.ConfigDict {
    return { ...super.getConfig(), norm: this.norm, stepSize: this.#stepSize, learnStepSize: this.#learnStepSize };
  }
}
