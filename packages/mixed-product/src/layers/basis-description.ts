import { OptionError } from '@mixfold/tensor-ops';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { type SparseEdges, sparseBasis } from '../basis/sparse-basis';
import { chebyshevBasis } from '../graphs/chebyshev-basis';
import { gcnBasis } from '../graphs/gcn-basis';
import type { Graph } from '../graphs/graph';
import { meanBasis } from '../graphs/mean-basis';
import { relationalBasis } from '../graphs/relational-basis';
import { type GridOptions1d, type GridOptions2d, gridBasis1d, gridBasis2d } from '../grids/grid-basis';

/** A basis in plain data, so that a model with it can be saved: the name of what makes it, and what that takes. */
export type BasisDescription =
  | ({ readonly kind: 'grid1d' } & GridOptions1d)
  | ({ readonly kind: 'grid2d' } & GridOptions2d)
  | ({ readonly kind: 'sparse' } & SparseEdges)
  | { readonly kind: 'gcn'; readonly graph: Graph; readonly selfLoops?: boolean }
  | { readonly kind: 'chebyshev'; readonly graph: Graph; readonly terms: number; readonly lambdaMax?: number }
  | { readonly kind: 'mean'; readonly graph: Graph; readonly selfTerm?: boolean }
  | {
      readonly kind: 'relational';
      readonly graphs: readonly Graph[];
      readonly normalize?: 'mean' | 'none';
      readonly selfTerm?: boolean;
    };

const kinds = ['grid1d', 'grid2d', 'sparse', 'gcn', 'chebyshev', 'mean', 'relational'];

/** @throws OptionError for a kind that is not there, and what the basis itself refuses. */
export function describedBasis(className: string, description: BasisDescription): ConvolutionBasis {
  const { kind, ...rest } = description;
  switch (kind) {
    case 'grid1d':
      return gridBasis1d(rest as GridOptions1d);
    case 'grid2d':
      return gridBasis2d(rest as GridOptions2d);
    case 'sparse':
      return sparseBasis(rest as SparseEdges);
    case 'gcn':
    case 'chebyshev':
    case 'mean': {
      const { graph, ...options } = rest as { graph: Graph; terms: number };
      if (kind === 'gcn') return gcnBasis(graph, options as object);
      return kind === 'mean' ? meanBasis(graph, options as object) : chebyshevBasis(graph, options);
    }
    case 'relational': {
      const { graphs, ...options } = rest as { graphs: Graph[] };
      return relationalBasis(graphs, options);
    }
    default:
      throw new OptionError(`${className}: option basis.kind must be one of ${kinds.join(', ')}, got ${kind}`);
  }
}

/** The description with ordinary arrays, as JSON has them. */
export function plainDescription(value: unknown): unknown {
  if (ArrayBuffer.isView(value) && 'length' in value) return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return value.map(plainDescription);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, plainDescription(own)]));
}
