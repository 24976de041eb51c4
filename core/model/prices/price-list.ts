/** What models cost here: the configuration's own prices, else those that providers publish. */

import { type Catalogue, catalogueRelease, openCatalogue } from './catalogue.ts';
import { type Price, type Prices, priceOf } from './price.ts';

/** Where a model is called. */
export interface PricedModel {
  readonly model: string;
  readonly provider: { readonly kind: string; readonly baseURL: string };
}

/** A price and where it is from. */
export interface KnownPrice {
  readonly price: Price;
  readonly from:
    | { readonly source: 'configuration' }
    | { readonly source: 'catalogue'; readonly provider: string; readonly date: string };
}

export interface PriceList {
  /** Null where the cost is unknown. */
  find(of: PricedModel): KnownPrice | null;
}

/** Extracts cost nothing. */
const free: KnownPrice = { price: { input: 0, output: 0 }, from: { source: 'configuration' } };

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
  return price === null ? null : { price, from: { source: 'configuration' } };
}

function listedPrice(catalogue: Catalogue | null, of: PricedModel): KnownPrice | null {
  const found = catalogue?.find(of.provider.baseURL, of.model, Date.now());
  if (found == null) return null;
  const { price, provider } = found;
  return { price, from: { source: 'catalogue', provider, date: catalogueRelease.date } };
}
