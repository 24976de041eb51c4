/** What models cost here: the configuration's own prices, else those that providers publish. */

import type { Provider } from '../model.ts';
import { type Catalogue, catalogueRelease, openCatalogue } from './catalogue.ts';
import { type Price, type Prices, priceOf } from './price.ts';

/** Where a model is called. */
export interface PricedModel {
  readonly model: string;
  readonly provider: Pick<Provider, 'contextTokens'> & {
    readonly kind: string;
    readonly baseURL: string;
  };
}

/** A price and where it is from. */
export interface KnownPrice {
  readonly price: Price;
  /** Tokens that prompt and answer have room for, and so no answer has more; null where unknown. */
  readonly contextTokens: number | null;
  readonly from:
    | { readonly source: 'configuration' }
    | { readonly source: 'catalogue'; readonly provider: string; readonly date: string };
}

export interface PriceList {
  /** Null where the cost is unknown. */
  find(of: PricedModel): KnownPrice | null;
}

/** Extracts cost nothing. */
const free: KnownPrice = {
  price: { input: 0, output: 0 },
  contextTokens: null,
  from: { source: 'configuration' },
};

/** For the models that are given; the catalogue is loaded only when one of them may be in it. */
export async function openPriceList(
  own: Prices,
  models: readonly PricedModel[],
): Promise<PriceList> {
  const isListed = (of: PricedModel) => ownPrice(own, of) === null && !isOnThisMachine(of);
  const catalogue = models.some(isListed) ? await openCatalogue() : null;
  return { find: (of) => ownPrice(own, of) ?? listedPrice(catalogue, of) };
}

function isOnThisMachine({ provider }: PricedModel): boolean {
  return /^https?:\/\/(?:localhost|127\.|\[::1\])/.test(provider.baseURL);
}

function ownPrice(own: Prices, { model, provider }: PricedModel): KnownPrice | null {
  if (provider.kind === 'offline') return free;
  const price = priceOf(own, model);
  if (price === null) return null;
  return { price, contextTokens: ownRoom(provider, model), from: { source: 'configuration' } };
}

function ownRoom({ contextTokens = {} }: PricedModel['provider'], model: string): number | null {
  return Object.hasOwn(contextTokens, model) ? (contextTokens[model] ?? null) : null;
}

function listedPrice(catalogue: Catalogue | null, of: PricedModel): KnownPrice | null {
  const found = catalogue?.find(of.provider.baseURL, of.model, Date.now());
  if (found == null) return null;
  const { price, provider } = found;
  return {
    price,
    contextTokens: ownRoom(of.provider, of.model) ?? found.contextTokens,
    from: { source: 'catalogue', provider, date: catalogueRelease.date },
  };
}
