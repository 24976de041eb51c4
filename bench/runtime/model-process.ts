/** The mock model server in a process of its own, so that it does not share the bench's event loop. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Provider } from '../../core/model/index.ts';
import { serveModel } from '../measure/model-server.ts';

const file = fileURLToPath(import.meta.url);

export interface ModelProcess {
  readonly provider: Provider;
  stop(): void;
}

export async function startModel(latencyMs: number): Promise<ModelProcess> {
  const child: ChildProcess = fork(file, [String(latencyMs)]);
  const [provider] = (await once(child, 'message')) as [Provider];
  return { provider, stop: () => child.kill('SIGKILL') };
}

if (process.argv[1] === file) {
  const { provider } = await serveModel(Number(process.argv[2]));
  process.on('disconnect', () => process.exit());
  process.send?.(provider);
}
