const section = { import: 2, start: 8, data: 11, dataCount: 12 };

/** One import: the memory (kind 2) named `env.memory`, of unshared type with a maximum (flag 1). */
const onlyImport = [1, 3, ...Buffer.from('env'), 6, ...Buffer.from('memory'), 2, 1];

/**
 * Refuses a module that could not share the memory of tfjs's own module: it must import exactly `env.memory`, and have neither a
 * data segment (AssemblyScript puts one at address 1024, on top of tfjs's) nor a start function. Reads the bytes, for an engine
 * without relaxed SIMD compiles no relaxed module.
 *
 * @param {string} name - for the error.
 * @param {Uint8Array} binary
 */
export function checkKernelModule(name, binary) {
  const found = sections(binary);
  const imports = found.get(section.import);
  if (!imports || !onlyImport.every((byte, i) => imports[i] === byte)) {
    throw new Error(`kernel ${name}: must import env.memory with a maximum and nothing else (a host function or Math is used)`);
  }
  if (found.has(section.start))
    throw new Error(`kernel ${name}: has a start function; a top-level value that is computed makes one`);
  if (found.has(section.data) || found.has(section.dataCount)) {
    throw new Error(`kernel ${name}: has a data segment; strings, array literals, asserts, Mathf and \`new\` make one`);
  }
}

/** The contents of a module's sections by identifier. */
function sections(binary) {
  const found = new Map();
  for (let at = 8; at < binary.length; ) {
    const id = binary[at++];
    let size = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) size |= ((byte = binary[at++]) & 0x7f) << shift;
    found.set(id, binary.subarray(at, at + size));
    at += size;
  }
  return found;
}
