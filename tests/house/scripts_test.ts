/** The readers inside `scripts/`: what they find, and what they must not miss. */
import { assertEquals, assertThrows } from "@std/assert";
import { readReport } from "../../scripts/test.ts";
import { flaggedConstants } from "../../scripts/wat_guard.ts";

const ZERO = "v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000";
const ONES = "v128.const i32x4 0xffffffff 0xffffffff 0xffffffff 0xffffffff";
const BAD = "v128.const i32x4 0x3fb8aa3b 0x3fb8aa3b 0x3fb8aa3b 0x3fb8aa3b";

/** Two nested loops with a block inside, and something in each place. */
function wat(before: string, outer: string, inner: string): string {
  return `(module
 (func $assembly/exp/row (param $0 i32)
  ${before}
  loop $for-loop|0
   ${outer}
   loop $for-loop|1
    local.get $0
    if (result v128)
     block $b
      ${inner}
     end
    else
     ${ZERO}
    end
    br_if $for-loop|1
   end
   br_if $for-loop|0
  end
 )
)`;
}

Deno.test("flaggedConstants() allows constants outside innermost loops, zeros and ones", () => {
  assertEquals(flaggedConstants(wat(BAD, BAD, `${ZERO}\n${ONES}`)), []);
});

Deno.test("flaggedConstants() names each constant of an innermost loop", () => {
  const mixed = ONES.replace("0xffffffff", "0x00000000");
  assertEquals(flaggedConstants(wat(ZERO, ZERO, `${BAD}\n${mixed}`)), [
    `$assembly/exp/row: ${BAD}`,
    `$assembly/exp/row: ${mixed}`,
  ]);
});

Deno.test("flaggedConstants() refuses a text that it cannot guard", () => {
  assertThrows(() => flaggedConstants("(module)"), Error, "it has no loop");
  assertThrows(() => flaggedConstants("(func $f\n(loop\n))"), Error, "folded");
  assertThrows(() => flaggedConstants("loop\n"), Error, "a block is open");
});

Deno.test("readReport() sorts the tests of a JUnit report", () => {
  const xml = `<testsuite name="./a_test.ts" tests="3">
    <testcase name="a &amp;lt; &gt; b" classname="./a_test.ts" time="0.001" line="1" col="6">
    </testcase>
    <testcase name="bad" classname="./a_test.ts" time="0.001" line="2" col="6">
        <failure message="Uncaught Error: x">Error: x
    at &lt;anonymous&gt;</failure>
    </testcase>
    <testcase name="later" classname="./a_test.ts" time="0.000" line="3" col="11">
        <skipped/>
    </testcase>
</testsuite>`;
  assertEquals(readReport(xml), {
    passed: ["./a_test.ts: a &lt; > b"],
    failed: ["./a_test.ts: bad"],
    ignored: ["./a_test.ts: later"],
  });
  assertEquals(readReport(""), { passed: [], failed: [], ignored: [] });
});
