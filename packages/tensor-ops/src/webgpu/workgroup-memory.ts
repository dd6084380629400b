/** Size and alignment of a WGSL type, in bytes. */
interface Layout {
  readonly size: number;
  readonly align: number;
}

const scalars: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, bool: 4, f16: 2 };
const suffixes: Readonly<Record<string, string>> = { f: 'f32', i: 'i32', u: 'u32', h: 'f16' };

const roundUp = (size: number, to: number) => Math.ceil(size / to) * to;

/**
 * The workgroup memory that a module declares, as WebGPU counts it against `maxComputeWorkgroupStorageSize`.
 *
 * @param code - WGSL without comments.
 * @param constants - Values of names that the code does not declare, such as `workgroupSize.x`.
 * @returns Bytes by variable.
 * @throws Error if the size of a variable cannot be told from the text.
 */
export function workgroupMemory(code: string, constants: Readonly<Record<string, number>>): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const [, name, type] of code.matchAll(/\bvar\s*<\s*workgroup\s*>\s*(\w+)\s*:\s*([^;=]+?)\s*;/g)) {
    const layout = layoutOf(type!.trim(), { code, constants });
    if (layout === undefined)
      throw new Error(`the size of workgroup variable '${name}: ${type}' cannot be told; write its length as a number`);
    bytes[name!] = roundUp(layout.size, 16);
  }
  return bytes;
}

interface Module {
  readonly code: string;
  readonly constants: Readonly<Record<string, number>>;
}

function layoutOf(type: string, module: Module): Layout | undefined {
  const scalar = scalars[type];
  if (scalar !== undefined) return { size: scalar, align: scalar };
  const atomic = /^atomic\s*<\s*[iu]32\s*>$/.test(type);
  if (atomic) return { size: 4, align: 4 };
  const vector = /^(?:vec([234])|mat([234])x([234]))(?:([fiuh])|\s*<\s*(\w+)\s*>)$/.exec(type);
  if (vector) {
    const element = scalars[vector[4] ? suffixes[vector[4]]! : vector[5]!];
    if (element === undefined) return undefined;
    const rows = Number(vector[1] ?? vector[3]);
    const align = element * (rows === 3 ? 4 : rows);
    return vector[1] ? { size: element * rows, align } : { size: Number(vector[2]) * align, align };
  }
  const array = /^array\s*<(.*)>$/s.exec(type);
  if (array) return arrayLayout(array[1]!, module);
  const alias = new RegExp(`\\balias\\s+${escaped(type)}\\s*=\\s*([^;]+);`).exec(module.code);
  if (alias) return layoutOf(alias[1]!.trim(), module);
  const struct = new RegExp(`\\bstruct\\s+${escaped(type)}\\s*\\{([^}]*)\\}`).exec(module.code);
  return struct ? structLayout(struct[1]!, module) : undefined;
}

const escaped = (text: string) => text.replace(/[^\w]/g, '\\$&');

function arrayLayout(content: string, module: Module): Layout | undefined {
  const [type, length] = splitTop(content);
  const element = layoutOf(type!, module);
  const count = length === undefined ? undefined : wholeNumber(length, module);
  if (element === undefined || count === undefined) return undefined;
  return { size: count * roundUp(element.size, element.align), align: element.align };
}

function structLayout(content: string, module: Module): Layout | undefined {
  let [size, align] = [0, 1];
  for (const member of splitTop(content)) {
    const type = /:\s*(.*)$/s.exec(member)?.[1]?.trim();
    const layout = type === undefined ? undefined : layoutOf(type, module);
    if (layout === undefined) return undefined;
    size = roundUp(size, layout.align) + layout.size;
    align = Math.max(align, layout.align);
  }
  return { size: roundUp(size, align), align };
}

/** The parts between the commas that stand in no brackets. */
function splitTop(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const char of text) {
    if (char === '<' || char === '(') depth++;
    if (char === '>' || char === ')') depth--;
    if (char === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** A sum of products of whole numbers, constants and brackets; undefined if there is anything else in it. */
function wholeNumber(expression: string, module: Module): number | undefined {
  const tokens = expression.match(/\d+|[A-Za-z_][\w.]*|[-+*/%()]|\S/g) ?? [];
  let at = 0;
  const atom = (): number => {
    const token = tokens[at++] ?? '';
    if (/^\d/.test(token)) {
      if (/^[iu]$/.test(tokens[at] ?? '')) at++;
      return Number(token);
    }
    if (token === '(') {
      const value = sum();
      return tokens[at++] === ')' ? value : Number.NaN;
    }
    const given = module.constants[token];
    if (given !== undefined) return given;
    const declared = new RegExp(`\\bconst\\s+${escaped(token)}\\s*(?::\\s*\\w+\\s*)?=\\s*([^;]+);`).exec(module.code);
    return declared ? (wholeNumber(declared[1]!, module) ?? Number.NaN) : Number.NaN;
  };
  const product = (): number => {
    let value = atom();
    while (/^[*/%]$/.test(tokens[at] ?? '')) {
      const [operator, next] = [tokens[at++], atom()];
      value = operator === '*' ? value * next : operator === '/' ? Math.trunc(value / next) : value % next;
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (/^[-+]$/.test(tokens[at] ?? '')) value += tokens[at++] === '+' ? product() : -product();
    return value;
  };
  const value = sum();
  return at === tokens.length && Number.isInteger(value) ? value : undefined;
}
