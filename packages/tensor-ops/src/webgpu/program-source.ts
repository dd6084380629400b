import { programError, type WebGpuProgram, type WgslScalar } from './web-gpu-program';

const identifier = /^[A-Za-z][A-Za-z0-9_]*$/;
const entryPoint = /\bfn\s+main\s*\(/g;

/**
 * The whole WGSL module of a program: bindings, uniform struct and the author's code. Bindings are numbered inputs, outputs, uniforms.
 * Everything a pipeline depends on is in this text, so the text is the cache key.
 *
 * @throws Error if a name is no identifier or stands twice, if a binding or uniform is not used, or if there is not one `fn main(`.
 */
export function programSource(program: WebGpuProgram, inputTypes: Record<string, WgslScalar>): string {
  const uniforms = Object.entries(program.uniforms ?? {});
  const code = withoutComments(program.code);
  checkNames(program, [...Object.keys(program.inputs), ...Object.keys(program.outputs)]);
  checkNames(
    program,
    uniforms.map(([name]) => name),
  );
  for (const name of [...Object.keys(program.inputs), ...Object.keys(program.outputs)]) {
    if (!new RegExp(`(?<![\\w.])${name}\\b`).test(code)) throw programError(program, `binding '${name}' is not used in the code`);
  }
  for (const [name] of uniforms) {
    if (!new RegExp(`\\buniforms\\s*\\.\\s*${name}\\b`).test(code))
      throw programError(program, `uniform '${name}' is not used in the code`);
  }
  if ((code.match(entryPoint) ?? []).length !== 1) throw programError(program, `the code needs exactly one 'fn main('`);

  let binding = 0;
  const declarations: string[] = [];
  for (const name of Object.keys(program.inputs)) {
    declarations.push(`@group(0) @binding(${binding++}) var<storage, read> ${name}: array<${inputTypes[name]}>;`);
  }
  for (const [name, { dtype }] of Object.entries(program.outputs)) {
    const type = dtype === 'int32' ? 'i32' : 'f32';
    declarations.push(`@group(0) @binding(${binding++}) var<storage, read_write> ${name}: array<${type}>;`);
  }
  if (uniforms.length > 0) {
    declarations.push(`struct Uniforms { ${uniforms.map(([name, { type }]) => `${name}: ${type}`).join(', ')} }`);
    declarations.push(`@group(0) @binding(${binding}) var<uniform> uniforms: Uniforms;`);
  }
  const [x, y, z] = program.workgroupSize;
  declarations.push(`const workgroupSize = vec3u(${x}, ${y}, ${z});`);
  return `${declarations.join('\n')}\n${code.replace(entryPoint, `@compute @workgroup_size(${x}, ${y}, ${z})\nfn main(`)}`;
}

function checkNames(program: WebGpuProgram, names: string[]): void {
  for (const [index, name] of names.entries()) {
    if (!identifier.test(name)) throw programError(program, `'${name}' is not a WGSL identifier`);
    if (name === 'uniforms' || name === 'workgroupSize' || name === 'main')
      throw programError(program, `the name '${name}' is taken`);
    if (names.indexOf(name) !== index) throw programError(program, `the name '${name}' stands for two bindings`);
  }
}

/** WGSL without its comments: a commented-out use is no use. Block comments nest in WGSL, so the innermost goes first. */
function withoutComments(code: string): string {
  const innermost = /\/\*(?:(?!\/\*|\*\/)[\s\S])*\*\//g;
  let text = code;
  while (text.search(innermost) >= 0) text = text.replace(innermost, ' ');
  return text.replace(/\/\/[^\n]*/g, '');
}
