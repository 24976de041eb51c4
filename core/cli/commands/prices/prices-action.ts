/** `aiq prices`: what models cost here, by the configuration or as their providers publish it. */

import type { Config } from '../../../config/index.ts';
import {
  type KnownPrice,
  openAiDefaultModel,
  openPriceList,
  type Rates,
  usesOf,
} from '../../../model/index.ts';
import { discoverUsable } from '../../agent-files.ts';
import type { ExitName } from '../../exit-codes.ts';
import { formatTable } from '../../output/format.ts';
import { outputWidth } from '../../output/terminal.ts';
import type { Session } from '../../session.ts';

interface Found extends KnownPrice {
  readonly model: string;
}

const heading = [
  'MODEL',
  'PROVIDER',
  'INPUT',
  'CACHED',
  'CACHE WRITE',
  'OUTPUT',
  'REASONING',
  'FROM',
];

export async function prices(session: Session, named: readonly string[]): Promise<ExitName> {
  const config = await session.foundConfig();
  const models = named.length > 0 ? named : await modelsHere(session, config);
  const found = await findAll(session, config, [...new Set(models)]);
  const { terminal } = session;
  if (terminal.json) for (const one of found) terminal.result(JSON.stringify(shown(one)));
  else {
    const lines = formatTable(heading, found.flatMap(rowsOf), outputWidth());
    if (found.length > 0) for (const line of lines) terminal.result(line);
  }
  const missing = models.filter((model) => !found.some((one) => one.model === model));
  for (const model of missing) {
    terminal.warn(
      `${model} has no price, so what it costs is unknown. Add it to aiq.config.yaml, for a million tokens: ` +
        `prices: { "${model}": { input: 0.25, output: 2 } }`,
    );
  }
  if (named.length === 0 || missing.length === 0) return 'ok';
  return missing.length === models.length ? 'notFound' : 'partial';
}

/** Of agents, configuration and providers; OpenAI's default where none names one. */
async function modelsHere(session: Session, config: Config): Promise<string[]> {
  const { agents } = await discoverUsable(session, 'read');
  const providers = Object.values(config.providers);
  const ids = [
    ...Object.keys(config.prices),
    ...[config, ...providers].map(({ model }) => model),
    ...agents.map(({ model }) => model.id),
  ].filter((id) => id !== null);
  return ids.length > 0 ? ids : [openAiDefaultModel];
}

/** At all addresses that calls may go to; a price of the configuration holds at each. */
async function findAll(
  session: Session,
  config: Config,
  models: readonly string[],
): Promise<Found[]> {
  const uses = usesOf({ ...config, env: await session.environment() });
  const addresses = [...new Set(uses.map(({ baseURL }) => baseURL))];
  const asked = models.flatMap((model) =>
    addresses.map((baseURL) => ({ model, provider: { kind: 'compatible', baseURL } })),
  );
  const list = await openPriceList(config.prices, asked);
  const found = asked.flatMap((one) => {
    const known = list.find(one);
    return known === null ? [] : [{ ...known, model: one.model }];
  });
  // One row for each provider, however many addresses it has.
  return [...new Map(found.map((one) => [`${one.model} ${providerOf(one)}`, one])).values()];
}

function providerOf({ from }: KnownPrice): string {
  return from.source === 'catalogue' ? from.provider : '-';
}

function shown({ model, price, from }: Found): object {
  return { model, ...from, ...price };
}

/** One row, and one for each tier. */
function rowsOf(found: Found): string[][] {
  const { model, price, from } = found;
  const source = from.source === 'catalogue' ? `published, ${from.date}` : 'aiq.config.yaml';
  const tiers = (price.tiers ?? []).map(({ above, ...rates }) => [
    `  above ${above.toLocaleString('en-US')} tokens in`,
    ...cellsOf(rates, ''),
    '',
  ]);
  return [[model, ...cellsOf(price, providerOf(found)), source], ...tiers];
}

function cellsOf(rates: Rates, provider: string): string[] {
  const { input, cachedInput = input, cacheWrite = input, output, reasoning = output } = rates;
  return [provider, ...[input, cachedInput, cacheWrite, output, reasoning].map(String)];
}
