/** The tasks behind `npm pack`, `npm test`, `npm run bench` and `npm run test:crash`, in a clone without network. */

import { existsSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pretend, SetupClone } from './setup-clone.ts';

/** Stands for a tool that a package brings; tells how it was called. */
const tool = `#!/usr/bin/env node
const { AIQ_CRASH_ROUNDS: rounds, AIQ_CRASH_SEED: seed } = process.env;
process.stdout.write(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd(), rounds, seed }));
process.exitCode = 5;
`;

const measurement = `/**
 * How fast it goes: two sentences follow. This is the second.
 */
process.stdout.write(process.argv.slice(2).join('+'));
process.exitCode = 3;
`;

let clone: SetupClone;

beforeEach(async () => {
  clone = await SetupClone.make();
  for (const name of ['tsc', 'vitest']) {
    await clone.write(`node_modules/.bin/${name}`, tool);
    await chmod(join(clone.root, 'node_modules/.bin', name), 0o755);
  }
});

afterEach(async () => {
  await clone.remove();
});

const task = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  clone.run(process.execPath, [join(clone.root, 'scripts/run.js'), ...args], env);

describe('build', () => {
  test('is what npm pack runs first, and nothing runs where the package is installed', async () => {
    const text = await readFile(join(clone.root, 'package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    expect(scripts['prepack']).toBe('node scripts/run.js build');
    expect(await readFile(join(clone.root, '.npmrc'), 'utf8')).not.toContain('ignore-scripts');
  });

  test('sets the clone up, clears what an earlier build left, and compiles', async () => {
    await clone.write('dist/gone.js', '');
    const { code, stdout } = await task(['build']);
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      args: ['-p', 'tsconfig.build.json'],
      cwd: clone.root,
    });
    expect(existsSync(join(clone.root, 'dist/gone.js'))).toBe(false);
    expect((await clone.npmCalls())[0]).toContain('--include=dev');
  });

  test('fetches a Node on an old machine, and installs for real under npm pack --dry-run', async () => {
    const old = pretend({ version: '20.20.2', platform: 'linux' });
    const script = join(clone.root, 'scripts/run.js');
    const env = { npm_config_dry_run: 'true' };
    expect(await clone.run(process.execPath, [...old, script, 'build'], env)).toMatchObject({
      code: 5,
    });
    const calls = await clone.npmCalls();
    expect(calls.map((call) => call.split(' ')[0])).toEqual(['ci', 'install']);
    for (const call of calls) expect(call).toContain('--no-dry-run');
  });
});

describe('test', () => {
  beforeEach(async () => {
    for (const name of ['biome', 'oxlint', 'knip']) {
      await clone.write(`node_modules/.bin/${name}`, tool);
      await chmod(join(clone.root, 'node_modules/.bin', name), 0o755);
    }
  });

  test('with a file sets the clone up and runs that file alone, without the checks', async () => {
    const file = 'test/unit/protocol/frame.test.ts';
    const { code, stdout } = await task(['test', file, '-t', 'a name']);
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ args: ['run', file, '-t', 'a name'] });
    expect((await clone.npmCalls())[0]).toContain('--include=dev');
  });

  test.each([[[]], [['--bail', '1']]])('with %j runs the checks and all tests', async (args) => {
    const { stdout } = await task(['test', ...args]);
    for (const name of ['format', 'lint', 'types', 'dead code']) expect(stdout).toContain(name);
    expect(stdout.trim().endsWith('}')).toBe(true);
    expect(stdout).toContain(JSON.stringify(['run', ...args]));
  });
});

describe('bench', () => {
  beforeEach(async () => {
    await clone.write('bench/speed.ts', measurement);
    await clone.write('bench/support/model.ts', measurement);
  });

  test('lists the measurements with what each one measures', async () => {
    const { code, stdout } = await task(['bench']);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ {2}speed +How fast it goes\.$/m),
    });
    expect(stdout).not.toContain('model');
  });

  test('runs the one that is named, with its arguments, and ends as it ends', async () => {
    expect(await task(['bench', 'speed', '3', 'b'])).toMatchObject({ code: 3, stdout: '3+b' });
  });

  test.each(['sped', '../scripts/run', 'support'])('refuses "%s" with the names', async (name) => {
    const { code, stderr } = await task(['bench', name]);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there are: speed'),
    });
  });
});

describe('test:crash', () => {
  test('hands rounds and seed to the kill test alone', async () => {
    const { code, stdout } = await task(['crash', '--rounds', '12', '--seed=7']);
    expect(code).toBe(5);
    const called = JSON.parse(stdout) as { args: string[] };
    expect(called).toMatchObject({ rounds: '12', seed: '7' });
    expect(called.args).toContain('test/crash/kill.test.ts');
    const { rounds } = JSON.parse((await task(['crash'])).stdout) as { rounds?: string };
    expect(rounds).toBeUndefined();
  });

  test.each([
    [['--rounds', 'many'], '--rounds takes a whole number'],
    [['--rounds', '0'], '--rounds takes a whole number'],
    [['--seed'], '--seed'],
    [['--turbo'], '--turbo'],
    [['7'], "'7'"],
  ])('refuses %j and says how it is called', async (args, words) => {
    const { code, stdout, stderr } = await task(['crash', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).toContain(
      'npm run test:crash -- [--rounds N] [--cycles N [--threads T] [--bench] [--resume]] [--losses N] [--seed S]',
    );
  });
});
