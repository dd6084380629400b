import { OptionError } from '@mixfold/tensor-ops';
import { serialization } from '@tensorflow/tfjs-core';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { chebyshevBasis } from '../graphs/chebyshev-basis';
import { gcnBasis } from '../graphs/gcn-basis';
import type { Graph } from '../graphs/graph';
import { meanBasis } from '../graphs/mean-basis';
import { plainDescription } from './basis-description';
import { type ParameterArgs, StructuredLayer } from './generalized-convolution-layer';

/** What a graph convolution is configured by. */
export interface GraphConvolutionArgs extends ParameterArgs {
  /** `source`, `target`, `weight`, `nodes`; saved with the model. */
  graph: Graph;
  /** `'gcn'` (default), `'chebyshev'` with `terms`, or `'mean'`. */
  kind?: 'gcn' | 'chebyshev' | 'mean';
  /** Polynomials of `'chebyshev'`. Default 3. */
  terms?: number;
}

/**
 * A graph convolution as a tf.layers layer: GCN, ChebNet or GraphSAGE with the mean, over a graph that is saved with the model. Takes `[batch, nodes, dim]`, gives
 * `[batch, nodes, units]`.
 *
 * @see gcnBasis, chebyshevBasis, meanBasis
 * @example
 * const layer = new GraphConvolution({ units: 16, graph: { source: [0, 1], target: [1, 0], nodes: 2 } });
 */
export class GraphConvolution extends StructuredLayer {
  /** @nocollapse */
  static className = 'GraphConvolution';
  readonly #graph: Graph;
  readonly #kind: 'gcn' | 'chebyshev' | 'mean';
  readonly #terms: number;

  constructor(args: GraphConvolutionArgs) {
    super(args, { graph: 'unchecked', kind: ['gcn', 'chebyshev', 'mean'], terms: 'positiveInteger' });
    if (typeof args?.graph !== 'object')
      throw new OptionError('GraphConvolution: option graph is needed: { source, target, nodes }');
    this.#graph = plainDescription(args.graph) as Graph;
    this.#kind = args.kind ?? 'gcn';
    this.#terms = args.terms ?? 3;
  }

  protected override makeBasis(): ConvolutionBasis {
    if (this.#kind === 'chebyshev') return chebyshevBasis(this.#graph, { terms: this.#terms });
    return this.#kind === 'mean' ? meanBasis(this.#graph) : gcnBasis(this.#graph);
  }

  override getConfig(): serialization.ConfigDict {
    const graph = this.#graph as unknown as serialization.ConfigDict;
    return { ...super.getConfig(), graph, kind: this.#kind, terms: this.#terms };
  }
}

serialization.registerClass(GraphConvolution);
