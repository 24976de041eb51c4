/** A program in a folder that nobody has allowed to send keys or run code. */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Aiq, connect, TrustError } from '../../../core/api/index.ts';
import { stopBroker } from '../../../core/host/index.ts';

let dir: string;
let opened: Aiq[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aiq-api-trust-'));
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((aiq) => aiq.close()));
  await stopBroker(join(dir, '.aiq'));
  await rm(dir, { recursive: true });
});

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

test('run rejects with the key and the module that nobody has allowed; with trust it goes on', async () => {
  await writeFile(
    join(dir, 'aiq.config.yaml'),
    "providers: { mine: { baseURL: 'http://127.0.0.1:9/v1', apiKey: '${env:MY_KEY}', model: m } }\n",
  );
  await mkdir(join(dir, 'agents', 'own'), { recursive: true });
  const manifest = 'description: x\ninstructions: y\ntools: [./tool.mjs]\n';
  await writeFile(join(dir, 'agents', 'own', 'agent.yaml'), manifest);
  const mark = join(dir, 'ran');
  const code = `import fs from 'node:fs';\nfs.writeFileSync(${JSON.stringify(mark)}, '');\nexport default 1;\n`;
  await writeFile(join(dir, 'agents', 'own', 'tool.mjs'), code);
  const settings = { provider: 'mine' };
  const env = { HOME: dir, MY_KEY: 'a secret' };
  const plain = await connect({ dir, settings, env });
  opened.push(plain);
  await plain.enqueue('own', { text: 'x' });
  expect(await rejection(plain.run({ agents: ['own'] }))).toMatchObject({
    name: 'TrustError',
    wants: ['run agents/own/tool.mjs'],
  });
  expect(await rejection(plain.run({ agents: ['summarize'] }))).toMatchObject({
    wants: ['send MY_KEY to http://127.0.0.1:9'],
  });
  expect(existsSync(mark)).toBe(false);
  const trusting = await connect({ dir, settings, env, trust: true });
  opened.push(trusting);
  expect(await rejection(trusting.run({ agents: ['own'] }))).not.toBeInstanceOf(TrustError);
  expect(existsSync(mark)).toBe(true);
});
