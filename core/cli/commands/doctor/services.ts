/** Checks of the broker and the model provider: one request each, with a timeout. */

import { access, constants } from 'node:fs/promises';
import { brokerFolder, FolderError } from '../../../base/index.ts';
import type { Config } from '../../../config/index.ts';
import type { EngineStats } from '../../../job-queue/index.ts';
import type { Provider, ProviderUse } from '../../../model/index.ts';
import { reportOf } from '../../errors.ts';
import { formatAge } from '../../output/format.ts';
import type { Session } from '../../session.ts';
import { type Check, fail, ok, warn } from './check.ts';
import { nearestFolder, refuseObstacle } from './machine.ts';

const brokerMs = 2_000;
/** A server that loads a model may take seconds. */
const providerMs = 10_000;
const allowIt = 'Allow it: aiq trust. More: aiq help trust';

/** Asks the running broker, or checks whether one could start; starts none. */
export async function checkBroker(config: Config): Promise<Check> {
  try {
    const stats = await statsOf(config);
    return stats === null ? await checkStart(config.broker) : running(config.broker, stats);
  } catch (error) {
    const { message, details } = reportOf(error);
    return fail('broker', 'broker', message, ...details);
  }
}

type Stats = Pick<EngineStats, 'pid' | 'startedAtMs' | 'queues'>;

async function statsOf({ broker, brokerTokenFile }: Config): Promise<Stats | null> {
  const folder = brokerFolder(broker);
  if (folder !== null) {
    const { brokerStatus } = await import('../../../host/index.ts');
    const status = await brokerStatus(folder);
    return status.running ? status.stats : null;
  }
  const { openQueue } = await import('../../../job-queue/index.ts');
  const queue = await openQueue({
    broker,
    tokenFile: brokerTokenFile,
    clientName: `aiq doctor ${process.pid}`,
    connectDeadlineMs: brokerMs,
    startBroker: false,
  });
  try {
    return await queue.engineStats();
  } finally {
    await queue.close();
  }
}

function running(broker: string, { pid, startedAtMs, queues }: Stats): Check {
  const age = formatAge(Math.max(0, Date.now() - startedAtMs));
  const paused = queues.filter((info) => info.paused).map((info) => info.queue);
  const found = `process ${pid} serves ${broker} for ${age}`;
  if (paused.length === 0) return ok('broker', found);
  const [first = ''] = paused;
  return warn('broker', `${found}; paused: ${paused.join(', ')}`, `aiq queues resume ${first}`);
}

async function checkStart(broker: string): Promise<Check> {
  const folder = brokerFolder(broker) ?? broker;
  const near = nearestFolder(folder);
  try {
    refuseObstacle(folder);
    await access(near, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok('broker', `not running for ${broker}; the first command that needs it starts it`);
  } catch (error) {
    const reason = error instanceof FolderError ? error.reason : `${near} cannot be written`;
    const found = `not running for ${broker}, and cannot start: ${reason}`;
    return fail('broker', 'broker', found, 'Choose another folder: broker in aiq.config.yaml');
  }
}

/** Chooses as `aiq run` would, then asks the provider for its models with the key that calls use. */
export async function checkProvider(session: Session, config: Config): Promise<Check> {
  const { chooseProvider } = await import('../../../model/index.ts');
  const { TrustError, useNeeds } = await import('../../../trust/index.ts');
  const [env, { silent }] = [await session.environment(), await session.trust()];
  const { provider, providers, model } = config;
  try {
    const signal = AbortSignal.timeout(providerMs);
    const patient: typeof fetch = (input, init) => fetch(input, { ...init, signal });
    const allow = (use: ProviderUse): Promise<void> => silent.allow(useNeeds(use));
    const chosen = await chooseProvider({ provider, providers, model, env, allow, fetch: patient });
    if (chosen.provider === 'offline') return offline(provider, chosen.reason);
    return await askForModels(chosen.provider, chosen.model);
  } catch (error) {
    if (error instanceof TrustError) {
      return warn(
        'provider',
        `not checked: this folder is not trusted yet; it would ${error.wants.join(', and to ')}`,
        allowIt,
      );
    }
    const { exit, message, details } = reportOf(error);
    const [first = '', ...rest] = message.split('\n');
    return fail('provider', exit, first, ...rest, ...details);
  }
}

/** Ok when it was configured; a warning when it is the fallback. */
function offline(asked: string, reason: string): Check {
  if (asked === 'offline') return ok('provider', reason);
  return warn('provider', reason, 'For a model: set OPENAI_API_KEY, or start a local server.');
}

async function askForModels(provider: Provider, model: string): Promise<Check> {
  const { name, baseURL } = provider;
  const { listModels } = await import('../../../model/index.ts');
  const list = await listModels(baseURL, { ...provider, timeoutMs: providerMs, fetch });
  const where = `${name} at ${baseURL}`;
  if (!list.ok) {
    const fix = 'Check the key and the address; without a provider: aiq run --provider offline';
    return fail('provider', 'credential', `${where}: ${list.reason}`, fix);
  }
  if (list.models.includes(model)) return ok('provider', `${where}, model ${model}`);
  const known = `It lists ${list.models.slice(0, 5).join(', ') || 'none'}`;
  return warn(
    'provider',
    `${where} does not list the model ${model}`,
    `${known}. Set model to one of them.`,
  );
}
