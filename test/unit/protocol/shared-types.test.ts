/** The types that messages share with records of the log: the same bytes outside a message. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  blobRefType,
  fieldsCodec,
  leaseEndInfoType,
  leaseEnds,
  priorities,
  usageType,
  valueType,
  Writer,
} from '../../../core/protocol/index.ts';
import { structOf } from './message-arbitraries.ts';

const fields = {
  end: { enum: leaseEnds },
  priority: { enum: priorities },
  body: { optional: blobRefType },
  history: { list: leaseEndInfoType },
  usage: usageType,
  value: valueType,
} as const;

test('a record of shared types comes back as it was written, and not with a byte missing', () => {
  const codec = fieldsCodec(fields);
  fc.assert(
    fc.property(structOf(fields), (record) => {
      const writer = new Writer();
      codec.encode(writer, record as never);
      const bytes = writer.written();
      expect(codec.decode(bytes)).toEqual(record);
      expect(() => codec.decode(bytes.subarray(0, -1))).toThrow('malformed');
    }),
  );
});
