/**
 * What a long run keeps between processes, so that an interrupted one goes on: the broker's folder,
 * and one line for each finished cycle with what was answered in it. What was answered after the
 * last line is forgotten, which makes the run milder there, never wrong.
 */

import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClientOracle, Heard } from '../../oracle/client-oracle.ts';

export interface Cycle extends Heard {
  readonly cycle: number;
  readonly kills: number;
}

const kept = fileURLToPath(new URL('../../../out/crash', import.meta.url));

export class CycleState {
  readonly dir: string;
  /** Of the cycles that are behind us. */
  readonly cycles: Omit<Cycle, 'accepted' | 'ended'>[] = [];
  /** Names of jobs begin with it: every process that works on a run makes other jobs. */
  readonly life: string = process.pid.toString(36);

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** In a temporary folder; with a seed in one that outlives this process, emptied unless resumed. */
  static async open(options: {
    readonly keptForSeed: number | null;
    readonly resume: boolean;
    readonly oracle: ClientOracle;
  }): Promise<CycleState> {
    const { keptForSeed, resume, oracle } = options;
    if (keptForSeed === null) return new CycleState(await mkdtemp(join(tmpdir(), 'aiq-cycles-')));
    const state = new CycleState(join(kept, `cycles-${keptForSeed}`));
    await endOrphan(state.brokerDir);
    if (!resume) await rm(state.dir, { recursive: true, force: true });
    await mkdir(state.dir, { recursive: true });
    await state.#read(oracle);
    return state;
  }

  get brokerDir(): string {
    return join(this.dir, '.aiq');
  }

  async add(cycle: Cycle): Promise<void> {
    await appendFile(this.#file, `${JSON.stringify(cycle)}\n`);
    this.cycles.push(cycle);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.dir, 'cycles.jsonl');
  }

  async #read(oracle: ClientOracle): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    // What follows the last line break was cut off with the process that wrote it.
    for (const line of text.split('\n').slice(0, -1)) {
      const cycle = JSON.parse(line) as Cycle;
      oracle.remember(cycle);
      this.cycles.push(cycle);
    }
  }
}

/** The broker of an interrupted run outlives it, and holds the folder's lock. */
async function endOrphan(brokerDir: string): Promise<void> {
  const endpoints = await readFile(join(brokerDir, 'endpoints.json'), 'utf8').catch(() => null);
  if (endpoints === null) return;
  const { pid } = JSON.parse(endpoints) as { pid: number };
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (command.split('\0').includes(brokerDir)) process.kill(pid, 'SIGKILL');
}
