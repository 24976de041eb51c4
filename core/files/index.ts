/** Making and opening folders safely, wherever a user points. */

export { FolderError, makeFolder } from './make-folder.ts';
export { type OwnFolder, openOwnFolder, throughDescriptor } from './own-folder.ts';
