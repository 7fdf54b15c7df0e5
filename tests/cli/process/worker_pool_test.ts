/** Threads that run out of memory: what they were doing is done again by one that may have more, or refused; nobody waits for ever. */
import { assertEquals, assertRejects } from "@std/assert";
import { encodeChunk } from "../../../src/cli/encode_chunk.ts";
import { createEncoder } from "../../../src/cli/encoding.ts";
import { DataError } from "../../../src/cli/errors.ts";
import {
  startWorkers,
  type ThreadMemory,
} from "../../../src/cli/worker_pool.ts";
import { Thread, ThreadDied } from "../../../src/cli/worker_thread.ts";
import type { ConversationResult } from "../../../src/formats/mod.ts";
import { TOKENIZER } from "../fixture.ts";

const SETTINGS = {
  encoding: {
    tokenizer: TOKENIZER,
    templateOptions: {},
    policy: {},
    split: "auto" as const,
  },
  chunk: {
    maxLength: Infinity,
    overlong: "truncate" as const,
    certificates: false,
  },
};

/** A thread of so many MiB loads the tokenizer, and has no room for a chat of so many letters. */
const USUAL = 48, LARGE = 400_000;

function chat(line: number, letters: number): ConversationResult {
  return {
    conversation: {
      line,
      shape: "messages",
      messages: [
        { role: "user", content: "a b ".repeat(letters / 4) },
        { role: "assistant", content: `${line}` },
      ],
    },
  };
}

async function withPool(
  count: number,
  memory: ThreadMemory,
  use: (pool: Awaited<ReturnType<typeof startWorkers>>) => Promise<void>,
): Promise<void> {
  const pool = await startWorkers(count, SETTINGS, memory);
  try {
    await use(pool);
  } finally {
    await pool.stop();
  }
}

Deno.test("a chat too large for a thread is encoded by one that may have more, and the pool goes on", async () => {
  const batches = [[chat(1, 40)], [chat(2, LARGE)], [chat(3, 40)], [
    chat(4, LARGE),
  ], [chat(5, 40), chat(6, 40)]];
  const encoder = createEncoder(SETTINGS.encoding);
  const wanted = batches.map((batch) =>
    encodeChunk(encoder, batch, SETTINGS.chunk)
  );
  await withPool(2, { usual: USUAL, most: 2048 }, async (pool) => {
    const chunks = await Promise.all(batches.map(pool.encode));
    chunks.forEach(({ records, tally }, i) => {
      assertEquals(records.bytes, wanted[i]!.records.bytes);
      assertEquals(tally.tokens, wanted[i]!.tally.tokens);
    });
  });
});

Deno.test("a chat too large for any thread is refused with its line", async () => {
  await withPool(1, { usual: USUAL, most: USUAL }, async (pool) => {
    await assertRejects(
      () => pool.encode([chat(8, 40), chat(9, LARGE)]),
      DataError,
      "lines 8 to 9: a chat takes more",
    );
  });
});

Deno.test("a thread that has no room for what it is sent is noticed", async () => {
  const thread = new Thread(SETTINGS, USUAL);
  try {
    assertEquals((await thread.ask()).kind, "ready");
    const batch = Array.from({ length: 200_000 }, (_, i) => chat(i, 4));
    await assertRejects(() => thread.ask({ batch }), ThreadDied);
  } finally {
    await thread.stop();
  }
});

Deno.test("a thread that is ended is noticed by who waits, and by who asks later", async () => {
  const thread = new Thread(SETTINGS, USUAL);
  await thread.ask();
  const asked = thread.ask({ batch: [chat(1, 400_000)] });
  const refused = assertRejects(() => asked, ThreadDied);
  await thread.stop();
  await refused;
  await assertRejects(() => thread.ask({ batch: [] }), ThreadDied);
});
