/**
 * A small clone for the tests of set-up: the real `bin/`, `scripts/` and lock files in a folder with
 * spaces, a command line that only reports how it was called, and an `npm` that installs nothing but
 * the records that npm leaves, so that no test needs the network.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { isNodeEnough } from '../../bin/machine.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));

const commandLine = `
export async function main(argv) {
  if (argv[1] === 'wait') {
    const stopped = new Promise((resolve) => process.once('SIGTERM', resolve));
    const alive = setInterval(() => {}, 1000);
    process.stdout.write('waiting\\n');
    await stopped;
    clearInterval(alive);
  }
  const { env, versions } = process;
  process.stdout.write(JSON.stringify({ argv, node: versions.node, pool: env.UV_THREADPOOL_SIZE }));
  return argv[1] === 'fail' ? 7 : 0;
}
`;

/** Does to the folder what npm would, as far as set-up looks at it, and writes down its arguments. */
const fakeNpm = `
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const args = process.argv.slice(2);
appendFileSync(process.env.FAKE_NPM_LOG, args.join(' ') + '\\n');
if (process.env.FAKE_NPM === 'fail') { console.error('npm error network down'); process.exit(1); }
if (process.env.FAKE_NPM === 'nothing') process.exit(0);
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const present = Object.entries(packages).filter(([folder, { dev }]) => folder && !(dev && args.includes('--omit=dev')));
for (const [folder] of present) {
  mkdirSync(folder + '/bin', { recursive: true });
  writeFileSync(folder + '/package.json', '{}');
  writeFileSync(folder + '/bin/node', '#!/bin/sh\\nexec "' + process.execPath + '" "$@"\\n');
  chmodSync(folder + '/bin/node', 0o755);
}
writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages: Object.fromEntries(present) }));
`;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Makes the running Node believe in another version or platform; children are not affected. */
export function pretend(what: { version?: string; platform?: string }): string[] {
  const { version = process.versions.node, platform = process.platform } = what;
  const source = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    Object.defineProperty(process, 'platform', { value: '${platform}' });`;
  return ['--import', `data:text/javascript,${encodeURIComponent(source)}`];
}

export class SetupClone {
  readonly root: string;
  readonly #home: string;

  static async make(): Promise<SetupClone> {
    const home = await mkdtemp(join(tmpdir(), 'aiq set-up '));
    const clone = new SetupClone(home);
    for (const path of ['bin', 'scripts', 'package.json', 'package-lock.json', '.npmrc']) {
      await cp(join(repository, path), join(clone.root, path), { recursive: true });
    }
    await clone.write('core/cli/main.ts', commandLine);
    await mkdir(join(home, 'tools'));
    await writeFile(join(home, 'fake-npm.mjs'), fakeNpm);
    const shim = `#!/bin/sh\nexec "${process.execPath}" "${join(home, 'fake-npm.mjs')}" "$@"\n`;
    await writeFile(join(home, 'tools/npm'), shim);
    await chmod(join(home, 'tools/npm'), 0o755);
    return clone;
  }

  private constructor(home: string) {
    this.#home = home;
    this.root = join(home, 'a clone');
  }

  async write(path: string, content: string): Promise<void> {
    await mkdir(join(this.root, path, '..'), { recursive: true });
    await writeFile(join(this.root, path), content);
  }

  /** Runs a program with the fake npm first on the PATH, from a folder outside the clone. */
  async run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const { child, ended } = this.start(file, args, env);
    child.stdin.end();
    return await ended;
  }

  start(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(file, args, {
      cwd: this.#home,
      env: {
        ...process.env,
        PATH: [join(this.#home, 'tools'), process.env['PATH']].join(delimiter),
        FAKE_NPM_LOG: this.#log,
        NODE_COMPILE_CACHE: join(this.#home, 'cache'),
        ...env,
      },
    });
    const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
      ([[code], stdout, stderr]): Ended => ({ code: code as number | null, stdout, stderr }),
    );
    return { child, ended };
  }

  /** How npm was called so far, one line a call. */
  async npmCalls(): Promise<string[]> {
    const log = await readFile(this.#log, 'utf8').catch(() => '');
    return log.split('\n').filter(Boolean);
  }

  async remove(): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }

  get #log(): string {
    return join(this.#home, 'npm-calls.log');
  }
}

/** The first file of that name on the PATH that will do, or null. */
export function findOnPath(
  name: string,
  willDo: (file: string) => boolean = () => true,
): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const files = folders.map((folder) => join(folder, name)).filter((file) => existsSync(file));
  return files.find(willDo) ?? null;
}

/** A Node of this machine that is too old for aiq, or null. */
export function findOldNode(): string | null {
  return findOnPath('node', isOldNode);
}

function isOldNode(file: string): boolean {
  const { stdout } = spawnSync(file, ['-p', 'process.versions.node'], { encoding: 'utf8' });
  return stdout.trim() !== '' && !isNodeEnough(stdout.trim());
}
