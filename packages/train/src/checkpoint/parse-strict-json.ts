/** A JSON value in which every object is a Map. */
export type StrictJson = string | number | boolean | null | StrictJson[] | Map<string, StrictJson>;

/**
 * Parses JSON as the header of a safetensors file needs it: a name that occurs twice is an error rather than silently the last
 * one, objects are Maps (so `__proto__` is a name like any other), and nesting is bounded.
 *
 * @throws SyntaxError with the place of the first fault.
 */
export function parseStrictJson(text: string, maximumDepth = 8): StrictJson {
  // A string's escapes and control characters are left to JSON.parse, which refuses the bad ones.
  const token = /[ \t\n\r]*(?:([{}[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;
  let punctuation: string | undefined;
  let literal: string | undefined;

  const fail = (problem: string): never => {
    throw new SyntaxError(`${problem} at character ${token.lastIndex}`);
  };
  const advance = () => {
    const place = token.lastIndex;
    const match = token.exec(text);
    if (match === null) {
      token.lastIndex = place;
      fail('not JSON');
    }
    punctuation = match![1];
    literal = match![2] ?? match![3];
  };
  const name = (): string => {
    if (literal?.[0] !== '"') fail('a name must be a string');
    return JSON.parse(literal!) as string;
  };

  const object = (depth: number): Map<string, StrictJson> => {
    const result = new Map<string, StrictJson>();
    advance();
    if (punctuation === '}') return result;
    for (;;) {
      const key = name();
      if (result.has(key)) fail(`the name ${JSON.stringify(key)} occurs twice`);
      advance();
      if (punctuation !== ':') fail("':' is missing");
      advance();
      result.set(key, value(depth));
      advance();
      if (punctuation === '}') return result;
      if (punctuation !== ',') fail("',' or '}' is missing");
      advance();
    }
  };
  const array = (depth: number): StrictJson[] => {
    const result: StrictJson[] = [];
    advance();
    if (punctuation === ']') return result;
    for (;;) {
      result.push(value(depth));
      advance();
      if (punctuation === ']') return result;
      if (punctuation !== ',') fail("',' or ']' is missing");
      advance();
    }
  };
  const value = (depth: number): StrictJson => {
    if (literal !== undefined) return JSON.parse(literal) as string | number | boolean | null;
    if (depth >= maximumDepth) fail('nested too deeply');
    if (punctuation === '{') return object(depth + 1);
    if (punctuation === '[') return array(depth + 1);
    return fail('a value is missing');
  };

  advance();
  const result = value(0);
  if (/[^ \t\n\r]/.test(text.slice(token.lastIndex))) fail('more text after the value');
  return result;
}
