/** Prints lines of cells as aligned columns. */
export function printColumns(lines: readonly (readonly string[])[]): void {
  const widths = lines.reduce<number[]>((all, line) => line.map((cell, i) => Math.max(cell.length, all[i] ?? 0)), []);
  for (const line of lines) console.log(`  ${line.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd());
}
