import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** One way to start the Vulkan driver: what is set in the environment of the process that uses it. */
export interface DriverChoice {
  readonly about: string;
  readonly env: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the loader itself looks. */
const loaderFolders = [
  '/etc/vulkan/icd.d',
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
];
/** Where containers have NVIDIA's driver mounted, besides. */
const nvidiaRoots = [
  '/usr/local/nvidia',
  '/opt/nvidia',
  '/usr/lib/nvidia',
  '/run/nvidia/driver/usr',
  '/run/opengl-driver',
  '/usr/local/cuda',
];
const libraryFolders = [
  '/usr/lib/x86_64-linux-gnu',
  '/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/lib64',
  '/usr/lib',
  '/usr/local/lib',
];

/**
 * Ways to reach a GPU, the likeliest first: what the caller has set; else what the loader finds by itself, NVIDIA's manifest where
 * containers put it, and manifests of our own for a driver that came without one.
 *
 * @param folder - where manifests of our own may be written.
 */
export function driverChoices(folder: string, environment: Environment = process.env): DriverChoice[] {
  const named = environment.VK_DRIVER_FILES ? 'VK_DRIVER_FILES' : environment.VK_ICD_FILENAMES ? 'VK_ICD_FILENAMES' : undefined;
  if (named) return [{ about: `${named}=${environment[named]} as set`, env: {} }];
  const standard = loaderFolders.flatMap((at) => filesOf(at)).filter((path) => path.endsWith('.json'));
  const choices: DriverChoice[] = [];
  const nvidia = standard.find((path) => /nvidia/i.test(path));
  if (nvidia) choices.push({ about: nvidia, env: { VK_DRIVER_FILES: nvidia } });
  for (const manifest of nvidiaRoots.flatMap((at) => findManifests(at, 5))) {
    choices.push({ about: manifest, env: { VK_DRIVER_FILES: manifest } });
  }
  if (standard.length > 0) choices.push({ about: `the loader's own search (${standard.join(', ')})`, env: {} });
  for (const library of ['libGLX_nvidia.so.0', 'libEGL_nvidia.so.0']) {
    const path = findLibrary(library);
    if (path) choices.push(ownManifest(folder, path));
  }
  return choices;
}

/**
 * The environment in which the dynamic linker finds the Vulkan loader and NVIDIA's libraries.
 *
 * @param carried - folder with a loader to use where the system has none.
 * @returns what to set, what is in use in words, and what is missing.
 */
export function loaderEnvironment(carried: string, environment: Environment = process.env): DriverChoice & { missing?: string } {
  const before = (environment.LD_LIBRARY_PATH ?? '').split(delimiter).filter(Boolean);
  const added = nvidiaRoots
    .flatMap((root) => [join(root, 'lib64'), join(root, 'lib')])
    .filter((at) => existsSync(join(at, 'libGLX_nvidia.so.0')));
  const system = [...before, ...libraryFolders].find((at) => existsSync(join(at, 'libvulkan.so.1')));
  const isCarried = system === undefined && existsSync(join(carried, 'libvulkan.so.1'));
  const folders = [...before, ...added.filter((at) => !before.includes(at)), ...(isCarried ? [carried] : [])];
  const env: Record<string, string> = folders.length > 0 ? { LD_LIBRARY_PATH: folders.join(delimiter) } : {};
  if (system) return { about: `${system}/libvulkan.so.1`, env };
  if (isCarried) return { about: 'the libvulkan.so.1 of this archive (the system has none)', env };
  const missing = `libvulkan.so.1, the Vulkan loader, is in none of ${[...before, ...libraryFolders].join(', ')}. Debian, Ubuntu: apt-get install libvulkan1`;
  return { about: 'no Vulkan loader found', env, missing };
}

/** Says what a machine without a usable driver lacks. */
export function whatIsMissing(): string {
  const device = ['/dev/nvidia0', '/dev/dri', '/dev/kfd', '/dev/dxg'].filter((path) => existsSync(path));
  const library = findLibrary('libGLX_nvidia.so.0') ?? findLibrary('libEGL_nvidia.so.0');
  return [
    device.length > 0
      ? `GPU devices: ${device.join(', ')}`
      : 'no GPU device (/dev/nvidia0, /dev/dri): is a GPU passed to this machine?',
    library
      ? `NVIDIA's graphics library: ${library}`
      : "no libGLX_nvidia.so.0 or libEGL_nvidia.so.0: NVIDIA's driver was mounted without its graphics part (containers: NVIDIA_DRIVER_CAPABILITIES=all)",
    'another driver: set VK_DRIVER_FILES to its .json manifest',
  ].join('\n  ');
}

function ownManifest(folder: string, library: string): DriverChoice {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${library.replace(/^.*\//, '')}.json`);
  writeFileSync(path, JSON.stringify({ file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.3.0' } }));
  return { about: `a manifest of our own for ${library}`, env: { VK_DRIVER_FILES: path } };
}

function findLibrary(name: string): string | undefined {
  const folders = [...nvidiaRoots.flatMap((root) => [join(root, 'lib64'), join(root, 'lib')]), ...libraryFolders];
  const folder = folders.find((at) => existsSync(join(at, name)));
  return folder && join(folder, name);
}

function findManifests(folder: string, depth: number): string[] {
  return filesOf(folder).flatMap((path) => {
    if (/\/nvidia_icd[^/]*\.json$/.test(path)) return [path];
    return depth > 0 && !/\.[a-z0-9]+$/i.test(path) ? findManifests(path, depth - 1) : [];
  });
}

/** Files and folders in a folder; none if it cannot be read. */
function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
