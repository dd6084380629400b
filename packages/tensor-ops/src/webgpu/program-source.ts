import { programError, type WebGpuFeature, type WebGpuOutput, type WebGpuProgram, type WgslScalar } from './web-gpu-program';
import { workgroupMemory } from './workgroup-memory';

const identifier = /^[A-Za-z][A-Za-z0-9_]*$/;
const entryPoint = /\bfn\s+main\s*\(/g;

/**
 * The declarations before the author's code: bindings, numbered inputs, outputs, uniforms, and the uniform struct. Declarations and code
 * are all that a pipeline depends on, so together they are its cache key.
 */
export function programDeclarations(program: WebGpuProgram, inputTypes: readonly WgslScalar[]): string {
  let binding = 0;
  let text = (program.requires ?? []).map((feature) => `enable ${directives[feature]};\n`).join('');
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

/** The names of the features in WGSL. An `enable` stands before everything else in a module. */
const directives: Readonly<Record<WebGpuFeature, string>> = { subgroups: 'subgroups', 'shader-f16': 'f16' };

const scalarOf = (dtype: WebGpuOutput['dtype']): WgslScalar => (dtype === 'int32' ? 'i32' : 'f32');

/**
 * The whole WGSL module of a program.
 *
 * @throws Error if a name is no identifier or stands twice, if a binding or uniform is not used, if there is not one `fn main(`, or if the workgroup memory
 *   is larger than the device's.
 */
export function programSource(program: WebGpuProgram, declarations: string, limits: GPUSupportedLimits): string {
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
  checkWorkgroupMemory(program, code, limits.maxComputeWorkgroupStorageSize);
  return (
    declarations + program.code.replace(entryPoint, `@compute @workgroup_size(${program.workgroupSize.join(', ')})\nfn main(`)
  );
}

function checkWorkgroupMemory(program: WebGpuProgram, code: string, most: number): void {
  const [x, y, z] = program.workgroupSize;
  let bytes: Record<string, number>;
  try {
    bytes = workgroupMemory(code, { 'workgroupSize.x': x, 'workgroupSize.y': y, 'workgroupSize.z': z });
  } catch (error) {
    throw programError(program, (error as Error).message);
  }
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  if (total <= most) return;
  const shares = Object.entries(bytes).map(([name, size]) => `${name} ${size}`);
  throw programError(program, `declares ${total} bytes of workgroup memory (${shares.join(', ')}), the device allows ${most}`);
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
