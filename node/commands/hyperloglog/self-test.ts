import { REGISTERS } from '../../../lib/codec/hyperloglog/index.ts';
import type { Args, RespWriter } from '../../../lib/codec/resp/index.ts';
import type { CommandContext } from '../command.ts';
import { Sketch } from './sketch.ts';

const REGISTER_ROUNDS = 4;
const MAX_VALUE = 63;
/** Elements that are counted: a tenth of a second's work, since nothing else is served meanwhile. */
const ELEMENTS = 100_000;
const ELEMENT_BYTES = 8;
/** The estimate's standard error, relatively, and how many times that an error may be. */
const STANDARD_ERROR = 1.04 / Math.sqrt(REGISTERS);
const TOLERANCE = 6;
const MAX_SPARSE_BYTES = 3000;

/** Sets all registers of the dense form to random values, and reads them back. */
function testRegisters({ node }: CommandContext): string | null {
  const sketch = emptyDense();
  const values = new Uint8Array(REGISTERS);
  for (let round = 0; round < REGISTER_ROUNDS; round++) {
    for (let i = 0; i < REGISTERS; i++) {
      values[i] = node.random.int(MAX_VALUE + 1);
      sketch.setRegister(i, values[i]);
    }
    const wrong = values.findIndex((value, i) => sketch.registerOf(i) !== value);
    if (wrong >= 0) {
      return `TESTFAILED Register ${wrong} should be ${values[wrong]} but is ${sketch.registerOf(wrong)}`;
    }
  }
  return null;
}

function emptyDense(): Sketch {
  const sketch = new Sketch();
  sketch.clear();
  sketch.makeDense();
  return sketch;
}

/** Counts different elements with both forms, which must agree and not be far off. */
function testEstimate({ node }: CommandContext): string | null {
  const dense = emptyDense();
  const sparse = new Sketch();
  sparse.clear();
  const element = Buffer.alloc(ELEMENT_BYTES);
  element.writeUInt32LE(node.random.u32(), 4);
  for (let i = 1, checkpoint = 1; i <= ELEMENTS; i++) {
    element.writeUInt32LE(i, 0);
    dense.add(element, 0, ELEMENT_BYTES, 0);
    sparse.add(element, 0, ELEMENT_BYTES, MAX_SPARSE_BYTES);
    if (i !== checkpoint) continue;
    const counted = Number(dense.count());
    if (i < MAX_SPARSE_BYTES / 2 && sparse.isDense) return 'TESTFAILED sparse encoding not used';
    if (counted !== Number(sparse.count())) return 'TESTFAILED dense/sparse disagree';
    const error = Math.abs(checkpoint - counted);
    if (error > (i === 10 ? 1 : Math.ceil(STANDARD_ERROR * TOLERANCE * checkpoint))) {
      return `TESTFAILED Too big error. card:${checkpoint} abserr:${error}`;
    }
    checkpoint *= 10;
  }
  return null;
}

/** PFSELFTEST */
export function selfTest(context: CommandContext, _args: Args, reply: RespWriter) {
  const problem = testRegisters(context) ?? testEstimate(context);
  if (problem === null) reply.ok();
  else reply.error(problem);
}
