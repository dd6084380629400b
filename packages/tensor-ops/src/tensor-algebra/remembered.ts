import { isSameList } from '../operator/call-plan';

type Shapes = readonly (readonly number[])[];

/** Values that follow from a text and some shapes, per text. */
export type Memory<Value> = Map<string, { readonly shapes: Shapes; readonly value: Value }[]>;

const TEXTS = 256;
const SHAPES_PER_TEXT = 32;

/** What `make` gave for this text and these shapes before, or gives now. Of too many texts or shapes the oldest are forgotten. */
export function remembered<Value>(memory: Memory<Value>, text: string, shapes: Shapes, make: () => Value): Value {
  const known = memory.get(text);
  for (const entry of known ?? []) {
    if (isSameShapes(entry.shapes, shapes)) return entry.value;
  }
  const entry = { shapes: shapes.map((shape) => shape.slice()), value: make() };
  if (known === undefined) {
    memory.set(text, [entry]);
    if (memory.size > TEXTS) memory.delete(memory.keys().next().value!);
  } else {
    known.push(entry);
    if (known.length > SHAPES_PER_TEXT) known.shift();
  }
  return entry.value;
}

function isSameShapes(a: Shapes, b: Shapes): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!isSameList(a[i], b[i])) return false;
  return true;
}
