// The tools that only this check needs, in the versions of the package.json beside this file.
import { Failure } from '../lib/failure.mjs';
import { withLock } from '../lib/lock.mjs';
import { npm } from '../lib/npm.mjs';
import { at } from '../lib/paths.mjs';
import { packagesAreInstalled } from '../lib/prepare.mjs';

const folder = at('scripts', 'smoke');

/** What is there already is not fetched again. */
export function installTools() {
  const onWait = () => console.error('smoke: waiting for another installation');
  return withLock(at('.cache', 'smoke.lock'), onWait, async () => {
    if (packagesAreInstalled(folder)) return;
    const { ok, output } = await npm('ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund');
    if (!ok) throw new Failure(`${output.trimEnd()}\nsmoke: the tools could not be installed, see above.`);
  });
}
