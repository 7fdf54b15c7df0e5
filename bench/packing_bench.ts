/**
 * Packing chats into packs of 4096: how full the packs are (printed), and how
 * long a plan takes, against the loop that looks through every pack; then what
 * laying the tokens out, giving them back and padding them costs.
 */
import {
  collate,
  packSequences,
  packStream,
  planPacks,
  unpack,
} from "../mod.ts";
import { chatLengths } from "../tests/packing/samples.ts";
import { verify } from "./data.ts";

const maxLength = 4096;
const lengths = chatLengths(20_000);
const many = chatLengths(1_000_000);
const strategies = ["bfd", "first-fit", "wrapped"] as const;

/** First fit as one writes it first. */
function plainFirstFit(lengths: Int32Array): number {
  const room: number[] = [];
  for (const length of lengths) {
    let bin = 0;
    while (bin < room.length && room[bin]! < length) bin++;
    if (bin === room.length) room.push(maxLength);
    room[bin]! -= length;
  }
  return room.length;
}

const firstFit = planPacks(lengths, { maxLength, strategy: "first-fit" });
verify("packs", firstFit.packCount, plainFirstFit(lengths), 0);

for (const list of [lengths, many]) {
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  const fills = strategies.map((strategy) => {
    const { fill } = planPacks(list, { maxLength, strategy });
    return `${strategy} ${(100 * fill).toFixed(2)} %`;
  });
  console.log(
    `${list.length} log-normal lengths, mean ${
      mean.toFixed(0)
    }, capacity ${maxLength}: ${fills.join(", ")} full`,
  );
}

/** How full packs of a stream get while so many wait. */
async function streamFill(openPacks: number): Promise<number> {
  const samples = Array.from(
    lengths,
    (length) => ({ inputIds: new Int32Array(length) }),
  );
  let tokens = 0;
  let packs = 0;
  for await (const pack of packStream(samples, { maxLength, openPacks })) {
    tokens += pack.inputIds.length;
    packs++;
  }
  return tokens / (packs * maxLength);
}

const waiting: string[] = [];
for (const openPacks of [1, 8, 64, 1024]) {
  const fill = await streamFill(openPacks);
  waiting.push(`${openPacks} waiting ${(100 * fill).toFixed(2)} %`);
}
console.log(`packStream of ${lengths.length}: ${waiting.join(", ")} full`);

for (const list of [lengths, many]) {
  const group = `plan ${list.length} lengths`;
  if (list === lengths) {
    Deno.bench({ name: "plain first fit", group, baseline: true }, () => {
      plainFirstFit(list);
    });
  }
  for (const strategy of strategies) {
    Deno.bench({ name: strategy, group }, () => {
      planPacks(list, { maxLength, strategy });
    });
  }
}

const samples = Array.from(lengths.subarray(0, 2000), (length) => ({
  inputIds: Int32Array.from({ length }, (_, t) => t * 7919 % 151936),
  spans: [[length >> 1, length]] as [number, number][],
}));
const tokens = samples.reduce((n, { inputIds }) => n + inputIds.length, 0);
const packed = packSequences(samples, { maxLength });
verify("tokens", packed.inputIds.length, tokens, 0);

const group = `${samples.length} chats, ${(tokens / 1e6).toFixed(1)} M tokens`;
Deno.bench({ name: "packSequences", group }, () => {
  packSequences(samples, { maxLength });
});
Deno.bench({ name: "unpack", group }, () => {
  unpack(packed);
});
Deno.bench({ name: "padded", group }, () => {
  packed.padded({ padTokenId: 0, length: maxLength });
});
Deno.bench({ name: "collate, 32 of them", group }, () => {
  collate(samples.slice(0, 32), { padTokenId: 0, padToMultipleOf: 8 });
});
Deno.bench({ name: "dense mask of one pack", group }, () => {
  packed.packs[0]!.denseMask();
});
