/** Making folders safely, wherever a user points. */

export { FolderError, makeFolder } from './make-folder.ts';
