/** The marks that keep an extract from passing for a model's answer. */

/** States how an answer was made, for files that have comment marks of their own. */
export const offlineNotice = 'made by aiq-offline: extracted, not written by a model';

/** Ends every text answer. */
export const offlineLabel = `<!-- ${offlineNotice} -->`;
