import { type Attributes, type AxisSizes, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { type Boundary, checkOffset, reducedOffset } from '../boundary';

/** An offset on a grid: down, then right; target - source. */
export type Offset2d = readonly [dy: number, dx: number];

/** A shift convolution over a grid; one over time has a height of 1. */
export interface ShiftGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  /** One per term, no longer than its axis. */
  readonly offsets: readonly Offset2d[];
  readonly boundary: Boundary;
}

/** The attributes of every shift convolution. Offsets are JSON: attributes are plain values. */
interface ShiftAttributes {
  readonly offsets: string;
  readonly boundary: Boundary;
}

const parsed = /* @__PURE__ */ new Map<string, readonly Offset2d[]>();

function offsetsOf(text: string): readonly Offset2d[] {
  let offsets = parsed.get(text);
  if (offsets === undefined) {
    const given = JSON.parse(text) as (number | [number, number])[];
    offsets = given.map((offset): Offset2d => (typeof offset === 'number' ? [0, offset] : offset));
    if (parsed.size >= 64) parsed.clear();
    parsed.set(text, offsets);
  }
  return offsets;
}

export function geometryOf(sizes: AxisSizes, attributes: Attributes): ShiftGeometry {
  const { batch, time, height = 1, width = time } = sizes as Required<AxisSizes>;
  const { offsets, boundary } = attributes as unknown as ShiftAttributes;
  return {
    batch: batch!,
    height,
    width: width!,
    offsets: offsetsOf(offsets).map(([dy, dx]) => [reducedOffset(dy, height, boundary), reducedOffset(dx, width!, boundary)]),
    boundary,
  };
}

/**
 * Checks the offsets of a call; `axes` are the sizes of the axes that they go along.
 *
 * @returns them as an attribute.
 */
export function offsetsAttribute(
  functionName: string,
  offsets: unknown,
  axes: Readonly<Record<string, number>>,
  boundary: Boundary,
  terms: number,
): string {
  const names = Object.keys(axes);
  const form = names.length === 1 ? 'integers' : `pairs [${names.join(', ')}] of integers`;
  if (!Array.isArray(offsets) || offsets.length === 0) {
    const got = Array.isArray(offsets) ? 'none' : String(offsets);
    throw new OptionError(`${functionName}: option offsets must be an array of at least one of ${form}, got ${got}`);
  }
  for (const [i, offset] of offsets.entries()) {
    const own: unknown[] = names.length === 1 ? [offset] : offset;
    if (!Array.isArray(own) || own.length !== names.length) {
      throw new OptionError(`${functionName}: option offsets must hold ${form}, got ${String(offset)} at place ${i}`);
    }
    for (const [axis, name] of names.entries()) {
      const label = names.length === 1 ? `offsets[${i}]` : `offsets[${i}] (${name})`;
      checkOffset(functionName, label, own[axis], axes[name]!, boundary);
    }
  }
  if (terms !== offsets.length) {
    throw new ShapeError(`${functionName}: axis 'terms' is ${terms} in theta but there are ${offsets.length} offsets`);
  }
  return JSON.stringify(offsets);
}
