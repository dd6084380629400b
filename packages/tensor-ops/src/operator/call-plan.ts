import { type BoundAxes, shapeOfAxes } from '../axes';
import { bindContract } from '../bind-shapes';
import { inputOf, type ParsedOperator } from './parsed-operator';
import type { AnyOperator, Attributes } from './types';

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;

/** What follows from the shapes of a call, and from its attributes where they shape its outputs. Calls that are alike share it, so it is frozen. */
export interface CallPlan extends BoundAxes {
  /** The shapes of the outputs by name: public ones first, saved ones only if a gradient will need them. */
  readonly outputShapes: Readonly<Record<string, number[]>>;
  readonly outputNames: readonly string[];
  /** Whether an input or an output has no elements. */
  readonly isEmpty: boolean;
}

/**
 * Checks the shapes of a call against the contract, and binds its axes.
 *
 * @throws ShapeError
 */
export function planCall(
  { spec }: AnyOperator,
  parsed: ParsedOperator,
  inputs: Shapes,
  attributes: Attributes,
  withSaved: boolean,
  only?: readonly string[],
): CallPlan {
  const { sizes, groups: given } = bindContract(parsed.functionName, parsed.inputs, inputs);
  const named = spec.shapes?.(Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])), attributes);
  const groups = { ...given, ...named };
  const outputShapes: Record<string, number[]> = {};
  for (const { name, optional, axes } of withSaved ? [...parsed.outputs, ...parsed.saved] : parsed.outputs) {
    if (optional && inputs[inputOf(name)] === undefined) continue;
    if (only !== undefined && !only.includes(name)) continue;
    outputShapes[name] = Object.freeze(shapeOfAxes(axes, { sizes, groups })) as number[];
  }
  const shapes = [...Object.values(inputs).map(({ shape }) => shape), ...Object.values(outputShapes)];
  return Object.freeze({
    sizes: Object.freeze(sizes),
    groups: Object.freeze(groups),
    outputShapes: Object.freeze(outputShapes),
    outputNames: Object.freeze(Object.keys(outputShapes)),
    isEmpty: shapes.some((shape) => shape.includes(0)),
  });
}

interface RememberedCall {
  readonly shapes: readonly (readonly number[] | undefined)[];
  /** Values of the attributes; none if they shape nothing. */
  readonly attributes: readonly unknown[];
  readonly withSaved: boolean;
  readonly only: readonly string[] | undefined;
  readonly plan: CallPlan;
}

/** How many calls an operator remembers: more than one model has shapes for it. */
const REMEMBERED_CALLS = 16;

/** The plans of an operator's latest calls. A call with the shapes and attributes of a remembered one was checked then. */
export class CallPlans {
  readonly #calls: RememberedCall[] = [];
  #oldest = 0;

  constructor(
    private readonly operator: AnyOperator,
    private readonly parsed: ParsedOperator,
  ) {}

  /** @throws ShapeError */
  of(inputs: Shapes, attributes: Attributes, withSaved: boolean, only?: readonly string[]): CallPlan {
    for (const call of this.#calls) {
      if (call.withSaved === withSaved && isSameList(call.only, only) && this.#isAlike(call, inputs, attributes))
        return call.plan;
    }
    const plan = planCall(this.operator, this.parsed, inputs, attributes, withSaved, only);
    this.#calls[this.#oldest] = {
      shapes: this.parsed.inputs.map(({ name }) => inputs[name]?.shape.slice()),
      attributes: this.operator.spec.shapes ? Object.values(attributes) : [],
      withSaved,
      only: only?.slice(),
      plan,
    };
    this.#oldest = (this.#oldest + 1) % REMEMBERED_CALLS;
    return plan;
  }

  #isAlike({ shapes, attributes: known }: RememberedCall, inputs: Shapes, attributes: Attributes): boolean {
    const { inputs: contract } = this.parsed;
    for (let i = 0; i < contract.length; i++) {
      if (!isSameList(shapes[i], inputs[contract[i]!.name]?.shape)) return false;
    }
    if (known.length === 0) return true;
    // Attributes start from the declared defaults, so all calls list them in one order.
    let i = 0;
    for (const name in attributes) if (!Object.is(attributes[name], known[i++])) return false;
    return true;
  }
}

/** Whether two lists, such as shapes, are equal, or both absent. */
export function isSameList<Item>(a: readonly Item[] | undefined, b: readonly Item[] | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
