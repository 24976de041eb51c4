/** Broker addresses that name a folder. */

const folderScheme = 'file:';

/** The folder of a `file:` address; null for an address that names none. */
export function brokerFolder(address: string): string | null {
  return address.startsWith(folderScheme) ? address.slice(folderScheme.length) : null;
}
