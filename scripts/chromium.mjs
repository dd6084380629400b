// Where Chromium and its software GPU driver are on this machine. Used by the set-up and by vitest.config.ts.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const commands = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const fixedPlaces = [
  '/usr/lib/chromium/chromium',
  '/opt/google/chrome/chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/**
 * The browser for the tests: `CHROMIUM_PATH`, else one in PATH or a usual place, else Playwright's own.
 *
 * @returns {string | undefined} path of the executable
 * @throws {Error} if `CHROMIUM_PATH` names no file
 */
export function findChromium() {
  const chosen = process.env.CHROMIUM_PATH;
  if (chosen) {
    if (!existsSync(chosen)) throw new Error(`CHROMIUM_PATH: there is no file ${chosen}`);
    return chosen;
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const inPath = commands.flatMap((command) => folders.map((folder) => join(folder, command)));
  return [...inPath, ...fixedPlaces, ...playwrightPlaces()].find((path) => existsSync(path));
}

function playwrightPlaces() {
  const root = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), '.cache', 'ms-playwright');
  if (!existsSync(root)) return [];
  const builds = readdirSync(root).filter((name) => /^chromium-\d+$/.test(name));
  return builds.flatMap((build) => ['chrome-linux64', 'chrome-linux'].map((folder) => join(root, build, folder, 'chrome')));
}

/**
 * Settings with which Dawn finds SwiftShader, the software GPU that Chromium ships, in a process started with them. A driver
 * chosen by `VK_ICD_FILENAMES` is left alone.
 *
 * @returns {Record<string, string> | undefined} environment variables, or undefined where there is no driver. Elsewhere than on
 * Linux Dawn brings what it needs.
 */
export function softwareGpuEnvironment() {
  if (process.platform !== 'linux' || process.env.VK_ICD_FILENAMES) return {};
  const chromium = findChromium();
  const folders = [...(chromium ? [dirname(realpathSync(chromium))] : []), '/usr/lib/chromium', '/opt/google/chrome'];
  const folder = folders.find((candidate) => existsSync(join(candidate, 'vk_swiftshader_icd.json')));
  if (folder === undefined) return undefined;
  // SwiftShader complains on every start if there is no folder for a display's sockets, which it does not use.
  const display = process.env.XDG_RUNTIME_DIR ? {} : { XDG_RUNTIME_DIR: tmpdir() };
  const driver = { ...display, VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json') };
  if (hasVulkanLoader()) return driver;
  // Chromium ships the loader too, but Dawn asks the dynamic linker for it, which reads this at process start.
  return { ...driver, LD_LIBRARY_PATH: [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') };
}

/** Whether the dynamic linker finds libvulkan.so.1 in its usual folders. */
export function hasVulkanLoader() {
  const multiarch = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu')) : [];
  const folders = ['/usr/lib', '/usr/lib64', '/lib64', '/usr/local/lib', ...multiarch.map((name) => join('/usr/lib', name))];
  return folders.some((folder) => existsSync(join(folder, 'libvulkan.so.1')));
}
