/** Counts that workers send, and the line that says how far it is. */
import { assertEquals } from "@std/assert";
import { describe, duration, Progress } from "../../src/cli/progress.ts";
import { Tally } from "../../src/cli/tally.ts";
import { createIo } from "./fixture.ts";

Deno.test("Tally.add() adds what a worker sent, in the order of the file", () => {
  const first = new Tally();
  const second = new Tally();
  const whole = new Tally();
  for (let line = 1; line <= 8; line++) {
    for (const tally of [line <= 4 ? first : second, whole]) {
      tally.conversations++;
      tally.tokens += line;
      tally.note("refused:limit", line, "why");
      if (line === 6) tally.note("overlong", line);
    }
  }
  // what postMessage leaves of it
  first.add(structuredClone({ ...second }));
  assertEquals(first, whole);
  assertEquals(
    whole.events.get("refused:limit")?.examples.map(({ line }) => line),
    [1, 2, 3, 4, 5],
  );
  assertEquals(whole.times("refused:limit"), 8);
  assertEquals(whole.times("cut-away"), 0);
});

Deno.test("Tally.note() names a line once, and cuts long words", () => {
  const tally = new Tally();
  tally.note("finding:x", 3, "a");
  tally.note("finding:x", 3, "b");
  tally.note("finding:x", 4, "a\nb".repeat(400));
  const { times, examples } = tally.events.get("finding:x")!;
  assertEquals(times, 3);
  assertEquals(examples.map(({ line }) => line), [3, 4]);
  assertEquals(examples[1]!.detail, `${"a↵b".repeat(100)}…`);
});

Deno.test("describe() says rate and time left once they mean something", () => {
  assertEquals(describe("a", "rows", 5, 0.1, 0.5), "a   10 %  5 rows");
  assertEquals(
    describe("a", "rows", 5000, 0.25, 10),
    "a   25 %  5,000 rows  500 rows/s  30 s left",
  );
  assertEquals(
    describe("a", "rows", 5000, undefined, 10),
    "a  5,000 rows  500 rows/s",
  );
});

Deno.test("duration() speaks of seconds, minutes, hours", () => {
  assertEquals(
    [0.4, 59.4, 60, 3599, 3600, 7325].map(duration),
    ["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "2 h 2 min"],
  );
});

Deno.test("Progress writes where somebody looks, within the width, and goes away", async () => {
  const paper = createIo();
  const progress = new Progress(paper.io, "encoding", "rows");
  await progress.show(1, 0.5);
  await progress.end();
  assertEquals(paper.err(), "");

  const screen = createIo({ columns: 20 });
  const line = new Progress(screen.io, "encoding", "rows");
  await line.show(1, 0.5);
  await line.show(2, 0.6); // too soon to be seen
  await line.end();
  assertEquals(screen.err(), "\rencoding   50 %  1…\x1b[K\r\x1b[K");
});
