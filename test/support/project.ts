/**
 * A folder as a user has it, the real command line run in it as real processes, and a model
 * endpoint in a process that nobody kills. Everything started here is ended by id.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patienceMs } from './patience.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(repository, 'bin', 'aiq.js');

/**
 * The folders of most tests are the tester's own: they may send keys and run code without a question.
 * `AIQ_TRUST: ''` takes that away.
 */
function environmentOf(dir: string, env: Record<string, string>): NodeJS.ProcessEnv {
  const all = { PATH: process.env['PATH'], NO_COLOR: '1', AIQ_TRUST: '1', HOME: dir, ...env };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command at a terminal of its own, and types one line at the first question. */
const terminal = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen, typed = b'', False
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    if b'[y/N]' in seen and not typed:
        typed = True
        os.write(fd, sys.argv[1].encode() + b'\\n')
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

export class Project {
  readonly dir: string;
  #env: Record<string, string>;
  readonly #children = new Set<ChildProcess>();

  static async make(env: Record<string, string> = {}): Promise<Project> {
    return new Project(await mkdtemp(join(tmpdir(), 'aiq-project-')), env);
  }

  private constructor(dir: string, env: Record<string, string>) {
    this.dir = dir;
    this.#env = env;
  }

  /** Of commands that start from now on. */
  setEnv(env: Record<string, string>): void {
    this.#env = env;
  }

  /** Starts `aiq …`; its output is gathered until it ends. */
  start(...args: string[]): { readonly child: ChildProcess; readonly finished: Promise<Finished> } {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: this.dir,
      env: environmentOf(this.dir, this.#env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    return { child, finished: this.#gather(child) };
  }

  /** The same at a terminal, where the answer is typed when something is asked; both streams are one there. */
  async atTerminal(answer: string, ...args: string[]): Promise<Finished> {
    const child = spawn('python3', ['-c', terminal, answer, process.execPath, bin, ...args], {
      cwd: this.dir,
      env: environmentOf(this.dir, this.#env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    return this.#gather(child);
  }

  async aiq(...args: string[]): Promise<Finished> {
    return await this.start(...args).finished;
  }

  /** @throws Error when the command ends with another code than 0 */
  async succeed(...args: string[]): Promise<Finished> {
    const finished = await this.aiq(...args);
    if (finished.code === 0) return finished;
    throw new Error(`${args.join(' ')} ended with ${finished.code}: ${finished.stderr}`);
  }

  /** Pid of the broker that serves this folder now, or null. */
  async brokerPid(): Promise<number | null> {
    try {
      const text = await readFile(join(this.dir, '.aiq', 'endpoints.json'), 'utf8');
      return (JSON.parse(text) as { pid: number }).pid;
    } catch {
      return null;
    }
  }

  /** Names in a folder of the project, without dot files; empty when it is not there. */
  async list(...path: string[]): Promise<string[]> {
    const names = await readdir(join(this.dir, ...path)).catch(() => []);
    return names.filter((name) => !name.startsWith('.')).sort();
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.dir, name), text);
  }

  async read(...path: string[]): Promise<string> {
    return await readFile(join(this.dir, ...path), 'utf8');
  }

  /** Ends what still runs and removes the folder. */
  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.aiq('broker', 'stop');
    await rm(this.dir, { recursive: true, force: true });
  }

  async #gather(child: ChildProcess): Promise<Finished> {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    this.#children.delete(child);
    return { code, signal, stdout, stderr };
  }
}

/** The fault server in a process of its own, counting its calls in a file. */
export class EndpointProcess {
  readonly env: Record<string, string>;
  readonly #child: ChildProcess;
  readonly #dir: string;

  /** @param model a fault, or a drill such as `aiq-offline?latency=1s` */
  static async start(model: string): Promise<EndpointProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'aiq-endpoint-'));
    const main = join(repository, 'test', 'support', 'servers', 'fault-process.ts');
    const child = spawn(process.execPath, [main, '--calls', join(dir, 'calls')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`${main} ended`)));
    const said = once(child.stdout as NodeJS.ReadableStream, 'data');
    const [line] = (await Promise.race([said, ended])) as [Buffer];
    const { baseURL, apiKey } = JSON.parse(line.toString()) as { baseURL: string; apiKey: string };
    const env = { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey, AIQ_MODEL: model };
    return new EndpointProcess(child, dir, env);
  }

  private constructor(child: ChildProcess, dir: string, env: Record<string, string>) {
    this.#child = child;
    this.#dir = dir;
    this.env = env;
  }

  /** The user-message digests of all calls that began, in order. */
  async started(): Promise<string[]> {
    const text = await readFile(join(this.#dir, 'calls'), 'utf8').catch(() => '');
    return text.split('\n').slice(0, -1);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Waits until the condition holds; fails after the deadline instead of hanging. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  deadlineMs = patienceMs,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
