/** Set-up and the `aiq` starter, on machines with a good Node, an old Node, no network, and Windows. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isNodeEnough, nodeVersionMin, platformProblem } from '../../bin/machine.js';
import { missingPackages } from '../../scripts/setup/installed.js';
import { findOldNode, findOnPath, pretend, SetupClone } from './setup-clone.ts';

const here = process.execPath;
const oldVersion = '20.20.2';

let clone: SetupClone;
beforeEach(async () => {
  clone = await SetupClone.make();
});
afterEach(async () => {
  await clone.remove();
});

const bin = () => join(clone.root, 'bin/aiq.js');
const run = () => join(clone.root, 'scripts/run.js');

describe('aiq in a clone without set-up', () => {
  test('says which command sets it up, and exits 2', async () => {
    const { code, stdout, stderr } = await clone.run(here, [bin(), 'enqueue', 'summarize']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('npm run demo');
    expect(stderr).toContain(clone.root);
  });

  test('reads a half-finished installation as none', async () => {
    await clone.write('node_modules/commander/package.json', '{}');
    expect(await clone.run(here, [bin()])).toMatchObject({ code: 2 });
  });
});

describe('aiq on the wrong machine', () => {
  test.each(['bin/aiq.js', 'scripts/run.js'])('%s refuses Windows and names WSL', async (file) => {
    const args = [...pretend({ platform: 'win32' }), join(clone.root, file), 'demo'];
    const { code, stderr } = await clone.run(here, args);
    expect(code).not.toBe(0);
    expect(stderr).toContain('does not run on Windows');
    expect(stderr).toContain('WSL');
    expect(await clone.npmCalls()).toEqual([]);
  });

  test('with an old Node and none in the clone, names the version and both ways out', async () => {
    await clone.write('node_modules/.package-lock.json', '{}');
    const { code, stderr } = await clone.run(here, [...pretend({ version: oldVersion }), bin()]);
    expect(code).toBe(2);
    expect(stderr).toContain(`needs Node ${nodeVersionMin} or newer; this is ${oldVersion}`);
    expect(stderr).toContain('npm test');
  });

  test('on a platform for which npm has no Node, set-up says which Node to install', async () => {
    const args = [...pretend({ version: oldVersion, platform: 'darwin' }), run(), 'demo'];
    const { code, stderr } = await clone.run(here, args);
    expect(code).toBe(1);
    expect(stderr).toContain('install Node 24');
    expect(await clone.npmCalls()).toEqual([]);
  });

  test('judges versions and platforms by their numbers and names', () => {
    expect(['24.16.9', '22.99.0', '9.0.0'].filter(isNodeEnough)).toEqual([]);
    const enough = ['24.17.0', '24.21.0', '25.0.0', '100.0.0'];
    expect(enough.filter(isNodeEnough)).toEqual(enough);
    expect(['linux', 'darwin'].map(platformProblem)).toEqual([null, null]);
  });
});

describe('set-up', () => {
  test('installs what the demo needs, runs it with its arguments and passes its exit code on', async () => {
    const first = await clone.run(here, [run(), 'demo', 'fail', '--x=y z']);
    expect(first.code).toBe(7);
    const report = JSON.parse(first.stdout) as { argv: string[]; pool: string };
    expect(report).toMatchObject({ argv: ['demo', 'fail', '--x=y z'], pool: '16' });
    expect(await clone.npmCalls()).toEqual([
      expect.stringMatching(/^install .*--omit=dev.*--ignore-scripts/),
    ]);

    await clone.run(here, [run(), 'demo']);
    expect(await clone.npmCalls()).toHaveLength(1);
  });

  test('adds the development packages for tests, and a demo afterwards keeps them', async () => {
    await clone.run(here, [run(), 'demo']);
    await clone.run(here, [run(), 'format']);
    await clone.run(here, [run(), 'demo']);
    const calls = await clone.npmCalls();
    expect(calls).toHaveLength(2);
    expect(calls[1]).toContain('--include=dev');

    await rm(join(clone.root, 'node_modules/yaml'), { recursive: true });
    await clone.run(here, [run(), 'demo']);
    expect((await clone.npmCalls())[2]).toContain('--include=dev');
  });

  test('fetches a private Node on an old machine, once, and runs on it', async () => {
    const args = [...pretend({ version: oldVersion, platform: 'linux' }), run(), 'demo'];
    const { code, stdout, stderr } = await clone.run(here, args);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('.node/') });
    expect(JSON.parse(stdout)).toMatchObject({ node: process.versions.node });
    await clone.run(here, args);
    expect((await clone.npmCalls()).map((call) => call.split(' ')[0])).toEqual(['ci', 'install']);

    const direct = [...pretend({ version: oldVersion, platform: 'linux' }), bin(), 'demo', 'fail'];
    expect(await clone.run(here, direct)).toMatchObject({ code: 7 });
  });

  test('fetches no Node where the own one is new enough', async () => {
    await clone.run(here, [run(), 'demo']);
    expect(existsSync(join(clone.root, '.node'))).toBe(false);
  });

  test("shows npm's own words and the fix when npm fails, and goes on the next time", async () => {
    const { code, stderr } = await clone.run(here, [run(), 'demo'], { FAKE_NPM: 'fail' });
    expect(code).toBe(1);
    expect(stderr).toContain('npm error network down');
    expect(stderr).toContain('npm config get registry');
    expect(await clone.run(here, [run(), 'demo'])).toMatchObject({ code: 0 });
  });

  test('does not go on when npm reports success and left nothing', async () => {
    const { code, stderr } = await clone.run(here, [run(), 'demo'], { FAKE_NPM: 'nothing' });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('lock') });
  });

  test('says that npm is missing', async () => {
    const { code, stderr } = await clone.run(here, [run(), 'demo'], { PATH: '/nowhere' });
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('npm does not start'),
    });
  });

  test('refuses an unknown task with the list of tasks', async () => {
    const { code, stderr } = await clone.run(here, [run(), 'dance']);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('demo|test|check'),
    });
  });

  test('tells which packages are missing or stale, and leaves optional ones to npm', () => {
    const wanted = {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0', dev: true },
      'node_modules/c': { version: '3.0.0', optional: true },
    };
    const present = { 'node_modules/a': { version: '0.9.0' } };
    expect(missingPackages(wanted, present, false)).toEqual(['node_modules/a']);
    expect(missingPackages(wanted, present, true)).toEqual(['node_modules/a', 'node_modules/b']);
    const stale = {
      'node_modules/a': { version: '1.0.0' },
      'node_modules/c': { version: '2.0.0' },
    };
    expect(missingPackages(wanted, stale, false)).toEqual(['node_modules/c']);
  });
});

describe('signals', () => {
  test('SIGTERM reaches the command through set-up and the starter, and its end comes back', async () => {
    await clone.run(here, [run(), 'demo']);
    const { child, ended } = clone.start(here, [run(), 'demo', 'wait']);
    child.stdout.once('data', () => child.kill('SIGTERM'));
    const { code, stdout } = await ended;
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('"wait"') });
  });
});

const oldNode = findOldNode();
const npx = findOnPath('npx');

describe.skipIf(oldNode === null)('a real old Node (left out: put a Node 20 on the PATH)', () => {
  const old = oldNode ?? '';

  test('starts the command, which says what to do before set-up and runs after it', async () => {
    expect(await clone.run(old, [bin()])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('npm run demo'),
    });
    expect(await clone.run(old, [run(), 'demo', 'fail'])).toMatchObject({ code: 7 });
    expect(await clone.run(old, [bin(), 'demo'])).toMatchObject({ code: 0 });
  });
});

/** With a registry that nobody answers: the unrelated package of the same name cannot be fetched. */
function runNpx(cwd: string) {
  const args = ['--registry=http://127.0.0.1:9', 'aiq', 'demo'];
  const env = { ...process.env, npm_config_cache: join(clone.root, '.aiq/npm') };
  return spawnSync(npx ?? '', args, { cwd, env, encoding: 'utf8' });
}

describe.skipIf(npx === null)('npx aiq in a clone (left out: install npm)', () => {
  test('says what to do before set-up and works after it, also from a folder below', async () => {
    const before = runNpx(clone.root);
    expect({ code: before.status, stderr: before.stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('npm run demo'),
    });
    await clone.run(here, [...pretend({ version: oldVersion, platform: 'linux' }), run(), 'demo']);
    const after = runNpx(join(clone.root, 'scripts'));
    expect({ code: after.status, stderr: after.stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(after.stdout)).toMatchObject({ argv: ['demo'] });
  });
});
