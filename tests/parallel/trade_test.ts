/** Which rows are given away, by what it costs. */
import { assertEquals } from "@std/assert";
import { Trade } from "../../src/parallel/trade.ts";

const BYTES = 1000;

/** Runs a job of `pieces` in which keeping and giving one cost so much; how many were given. */
function run(trade: Trade, pieces: number, keep: number, give: number): number {
  let given = 0;
  trade.begin();
  for (let i = 0; i < pieces; i++) {
    if (trade.gives()) {
      trade.give(give, BYTES);
      given++;
    } else trade.keep(keep, BYTES);
  }
  return given;
}

Deno.test("what costs less to give than to do is given, but for a job's first piece", () => {
  const trade = new Trade();
  assertEquals(run(trade, 100, 10, 5), 99);
  assertEquals(run(trade, 100, 10, 5), 99);
  assertEquals(run(trade, 1, 10, 5), 0);
});

Deno.test("what costs more to give is kept, and asked about again now and then", () => {
  const trade = new Trade();
  assertEquals(run(trade, 100, 10, 20), 8);
  const given = run(trade, 10_000, 10, 20);
  assertEquals(given > 0 && given < 400, true, `${given}`);
  // the threads have been moved: after the next question all is given
  assertEquals(run(trade, 1000, 10, 5) > 700, true);
});

Deno.test("one piece that was interrupted changes nothing", () => {
  const trade = new Trade();
  run(trade, 100, 10, 5);
  trade.give(1000, BYTES);
  assertEquals(run(trade, 100, 10, 5), 99);
});

Deno.test("rows that take long are given, whatever copying them costs", () => {
  const trade = new Trade();
  run(trade, 100, 10, 20);
  assertEquals(run(trade, 100, 100, 20), 99);
  assertEquals(run(trade, 100, 10, 20), 0);
});
