import { printColumns } from '../print-columns';
import type { GpuReport } from './gpu-result';

const passText = { forward: 'forward', both: 'forward + backward' } as const;

/** The table at the end: a line for every form of every case. */
export function printReport({ cases, checks, device, limits, torch }: GpuReport): void {
  console.log(`\n${device?.name ?? 'no device'}; PyTorch ${torch && 'version' in torch ? torch.version : 'missing'}`);
  if (limits) {
    const [copy, matMul] = [limits.copyGBs.toFixed(0), limits.matMulGFs.toFixed(0)];
    console.log(
      `percent of limit: of the time that memory at ${copy} GB/s or arithmetic at ${matMul} GF/s needs, at the minimum`,
    );
  }
  const lines = cases.flatMap(({ name, pass, timings }) => {
    const ours = timings.find(({ form }) => form === 'fused') ?? timings[0];
    return timings.map(({ form, minMs, medianMs, wallMs, percentOfLimit }) => [
      name,
      passText[pass],
      form,
      minMs.toFixed(4),
      medianMs.toFixed(4),
      wallMs.toFixed(4),
      ours ? (medianMs / ours.medianMs).toFixed(2) : '',
      percentOfLimit === null ? '' : `${percentOfLimit.toFixed(0)} %`,
    ]);
  });
  if (lines.length > 0)
    printColumns([['case', 'pass', 'form', 'min ms', 'median ms', 'wall ms', 'over ours', 'of limit'], ...lines]);
  const untimed = cases.flatMap(({ name, pass, missing }) =>
    Object.entries(missing).map(([form, why]) => [name, passText[pass], form, why]),
  );
  if (untimed.length > 0) {
    console.log('\nnot timed:');
    printColumns(untimed);
  }
  const linesOf = (what: 'wrong' | 'peerFailed' | 'leftOut') =>
    checks.flatMap((check) => Object.entries(check[what]).map(([form, why]) => `${check.name}, ${form}: ${why}`));
  const list = (title: string, all: readonly string[]) => all.length > 0 && console.log(`${title}:\n  ${all.join('\n  ')}`);
  const [wrong, right] = [linesOf('wrong'), checks.reduce((sum, check) => sum + check.right.length, 0)];
  console.log(`\n${right} forms and sizes are right, ${wrong.length} wrong`);
  list('wrong or failed', wrong);
  list('peer failed', linesOf('peerFailed'));
  list('not checked', linesOf('leftOut'));
}
