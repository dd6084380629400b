import { existsSync, readFileSync } from 'node:fs';
import { findChromium } from './chromium.mjs';
import { mustRun, ScriptError } from './command.mjs';

/** Chromium brings SwiftShader, the software GPU; libvulkan1 is the loader with which Dawn finds it. */
const debianPackages = ['chromium', 'libvulkan1'];

/**
 * Makes sure that there is a Chromium. On Debian, as root, it installs one; elsewhere it says what to do, and with `CI` set it fails.
 *
 * @returns {Promise<string | undefined>} path of the browser
 */
export async function installChromium() {
  const found = findChromium();
  if (found) return found;
  if (isDebian() && process.getuid?.() === 0) {
    console.log(`Installing ${debianPackages.join(' and ')} with apt-get`);
    const apt = ['apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=300'];
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await mustRun('apt-get update', [...apt, 'update'], { env });
    await mustRun('apt-get install', [...apt, 'install', '--yes', '--no-install-recommends', ...debianPackages], { env });
    const installed = findChromium();
    if (installed) return installed;
  }
  const cure = isDebian()
    ? `as root: apt-get install ${debianPackages.join(' ')}`
    : 'install Chromium or Chrome, or name one in CHROMIUM_PATH';
  const message = `no Chromium found for the browser tests; ${cure}`;
  if (process.env.CI) throw new ScriptError(message);
  console.warn(`warning: ${message}. They are left out.`);
  return undefined;
}

/** Debian itself: Ubuntu's package of the same name only points to another store. */
function isDebian() {
  return existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
}
