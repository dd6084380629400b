import { checkOptions } from '@mixfold/tensor-ops';
import { type Initializer, type InitializerArg, readInitializer } from '@mixfold/tensor-ops/layers';
import { reshape, type serialization, type Tensor, tensor3d, tidy, transpose } from '@tensorflow/tfjs-core';
import { drawRules, drawSubspaces, type SubspaceDraw, subspaceKinds } from '../subspaces/initial-subspaces';

/**
 * How the subspaces of a layer start: a kind of `initialSubspaces`, or that with its options; or any initializer of tfjs, by name, configuration or object, which draws
 * the heads side by side, `[dim, heads * headDim]`.
 */
export type SubspaceInitializer = SubspaceDraw['kind'] | SubspaceDraw | InitializerArg;

/** An initializer of stacked matrices, and what a model file says of it. */
export interface ReadSubspaceInitializer {
  /** Of subspaces, `[heads, dim, headDim]`. */
  readonly subspaces: Initializer;
  /** Of an untied output, `[heads, headDim, dim]`. */
  readonly output: Initializer;
  readonly config: serialization.ConfigDictValue;
}

type Sizes = [heads: number, rows: number, columns: number];

/** @throws OptionError for a bad draw; tfjs's own error for an initializer that it does not know. */
export function readSubspaceInitializer(className: string, option: string, given: SubspaceInitializer): ReadSubspaceInitializer {
  const draw = drawOf(className, option, given);
  if (draw) {
    const config = Object.fromEntries(Object.entries(draw).filter(([, value]) => value !== undefined));
    return {
      subspaces: initializerOf(([heads, dim, headDim]) => {
        return tensor3d(drawSubspaces(className, draw, [heads, dim, headDim], dim), [heads, dim, headDim]);
      }),
      output: initializerOf(([heads, headDim, dim]) => {
        const drawn = tensor3d(drawSubspaces(className, draw, [heads, dim, headDim], heads * headDim), [heads, dim, headDim]);
        return transpose(drawn, [0, 2, 1]);
      }),
      config,
    };
  }
  const { initializer, config } = readInitializer(given as InitializerArg);
  return {
    subspaces: initializerOf(([heads, dim, headDim]) => {
      return transpose(reshape(initializer.apply([dim, heads * headDim]), [dim, heads, headDim]), [1, 0, 2]);
    }),
    output: initializerOf((sizes) => reshape(initializer.apply([sizes[0] * sizes[1], sizes[2]]), sizes)),
    config,
  };
}

/** What tfjs asks of an initializer when a weight is added. */
export function initializerOf(draw: (shape: Sizes) => Tensor): Initializer {
  return { apply: (shape: number[]) => tidy(() => draw(shape as Sizes)) } as unknown as Initializer;
}

function drawOf(className: string, option: string, given: SubspaceInitializer): SubspaceDraw | undefined {
  if (typeof given === 'string') {
    return (subspaceKinds as readonly string[]).includes(given) ? { kind: given as SubspaceDraw['kind'] } : undefined;
  }
  if (!('kind' in given)) return undefined;
  checkOptions(`${className} ${option}`, given, drawRules);
  return given as SubspaceDraw;
}
