/** Making and opening folders safely, wherever a user points; and telling processes apart. */

export { FolderError, makeFolder } from './make-folder.ts';
export { type OwnFolder, openOwnFolder, throughDescriptor } from './own-folder.ts';
export { processStart } from './process-start.ts';
