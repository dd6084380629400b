import { programError, type WebGpuOutput, type WebGpuProgram, type WgslScalar } from './web-gpu-program';

const identifier = /^[A-Za-z][A-Za-z0-9_]*$/;
const entryPoint = /\bfn\s+main\s*\(/g;

/**
 * The declarations before the author's code: bindings, numbered inputs, outputs, uniforms, and the uniform struct. Declarations and code
 * are all that a pipeline depends on, so together they are its cache key.
 */
export function programDeclarations(program: WebGpuProgram, inputTypes: readonly WgslScalar[]): string {
  let binding = 0;
  let text = '';
  const declare = (access: string, name: string, scalar: WgslScalar) => {
    const element = program.vectors?.includes(name) ? 'vec4f' : scalar;
    text += `@group(0) @binding(${binding++}) var<storage, ${access}> ${name}: array<${element}>;\n`;
  };
  for (const name in program.inputs) declare('read', name, inputTypes[binding]!);
  for (const [name, { dtype }] of Object.entries<WebGpuOutput>(program.outputs)) declare('read_write', name, scalarOf(dtype));
  const uniforms = Object.entries(program.uniforms ?? {});
  if (uniforms.length > 0) {
    text += `struct Uniforms { ${uniforms.map(([name, { type }]) => `${name}: ${type}`).join(', ')} }\n`;
    text += `@group(0) @binding(${binding}) var<uniform> uniforms: Uniforms;\n`;
  }
  return `${text}const workgroupSize = vec3u(${program.workgroupSize.join(', ')});\n`;
}

const scalarOf = (dtype: WebGpuOutput['dtype']): WgslScalar => (dtype === 'int32' ? 'i32' : 'f32');

/**
 * The whole WGSL module of a program.
 *
 * @throws Error if a name is no identifier or stands twice, if a binding or uniform is not used, or if there is not one `fn main(`.
 */
export function programSource(program: WebGpuProgram, declarations: string): string {
  const bindings = [...Object.keys(program.inputs), ...Object.keys(program.outputs)];
  const uniforms = Object.keys(program.uniforms ?? {});
  const code = withoutComments(program.code);
  checkNames(program, bindings);
  checkNames(program, uniforms);
  for (const name of bindings) {
    if (!new RegExp(`(?<![\\w.])${name}\\b`).test(code)) throw programError(program, `binding '${name}' is not used in the code`);
  }
  for (const name of uniforms) {
    if (!new RegExp(`\\buniforms\\s*\\.\\s*${name}\\b`).test(code)) {
      throw programError(program, `uniform '${name}' is not used in the code`);
    }
  }
  if ((code.match(entryPoint) ?? []).length !== 1) throw programError(program, `the code needs exactly one 'fn main('`);
  return (
    declarations + program.code.replace(entryPoint, `@compute @workgroup_size(${program.workgroupSize.join(', ')})\nfn main(`)
  );
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
