/**
 * Memory of `aiq enqueue` by the number of its inputs: files of a pattern through folders, and lines of a
 * file. What is held for each input must stay small, so the peak hardly grows.
 * `node bench/bulk-memory.ts [inputs=100000]`; exits with 1 above the bound.
 */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/aiq.js', import.meta.url));
const inputsMax = Number(process.argv[2] ?? 100_000);
const inputsMin = inputsMax / 5;
/** Of 80,000 inputs more: only paths and identities of files may grow. The fewer fill the young generation. */
const growthMiBMax = 48;
const mib = 1024 * 1024;
const filesInFolder = 1_000;

const cwd = mkdtempSync(join(tmpdir(), 'aiq-bulk-'));
let mostGrownMiB = 0;
try {
  writeFileSync(join(cwd, 'aiq.config.yaml'), 'broker: file:./.aiq\n');
  await measure('files', (count) => ['--yes', writeFiles(count)]);
  await measure('lines', (count) => ['--jsonl', writeLines(count)]);
} finally {
  await run(['broker', 'stop', '--quiet']);
  rmSync(cwd, { recursive: true, force: true });
}
process.exitCode = mostGrownMiB > growthMiBMax ? 1 : 0;

async function measure(what: string, argsFor: (count: number) => string[]): Promise<void> {
  const peaks: number[] = [];
  for (const count of [inputsMin, inputsMax]) {
    const { lines, peakBytes } = await run(['enqueue', 'summarize', '-q', ...argsFor(count)]);
    if (lines !== count) throw new Error(`${lines} of ${count} ids were printed`);
    peaks.push(peakBytes / mib);
    process.stdout.write(`${count} ${what}: ${Math.round(peakBytes / mib)} MiB at the peak\n`);
  }
  const [few = 0, many = 0] = peaks;
  mostGrownMiB = Math.max(mostGrownMiB, many - few);
  process.stdout.write(
    `  grown by ${(many - few).toFixed(0)} MiB (at most ${growthMiBMax}), ` +
      `${(((many - few) * mib) / (inputsMax - inputsMin)).toFixed(0)} bytes an input\n`,
  );
}

/** Runs the command and counts its lines; the peak comes from the process itself, at its end. */
async function run(args: readonly string[]): Promise<{ lines: number; peakBytes: number }> {
  const report = `process.on('exit', () => process.stderr.write(
    '\\npeak ' + process.resourceUsage().maxRSS + '\\n'));`;
  const preload = `data:text/javascript,${encodeURIComponent(report)}`;
  const child = spawn(process.execPath, ['--import', preload, bin, ...args], { cwd });
  let lines = 0;
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 0x0a) lines += 1;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4096);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${String(code)}: ${errors}`);
  return { lines, peakBytes: Number(/peak (\d+)/.exec(errors)?.[1]) * 1024 };
}

function writeFiles(count: number): string {
  const top = join(cwd, `texts-${count}`);
  for (let at = 0; at < count; at++) {
    const folder = join(top, `part-${Math.floor(at / filesInFolder)}`);
    if (at % filesInFolder === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `text-${at}.md`), textOf(count, at));
  }
  return `${top}/**/*.md`;
}

function writeLines(count: number): string {
  const file = join(cwd, `lines-${count}.jsonl`);
  const lines = Array.from({ length: count }, (_, at) =>
    JSON.stringify({ text: `line ${textOf(count, at)}` }),
  );
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function textOf(count: number, at: number): string {
  return `Text ${at} of ${count}: ${'all work and no play '.repeat(9)}`;
}
