/**
 * The choice of an engine, with a GPU and without: in this process, and in ones
 * that a backend without any adapter was chosen for.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { selectEngine } from "../../src/select.ts";
import { gpuTest } from "./gpu.ts";

const HOST = new Float32Array(1000);

/** Rates at which nearly any work outweighs the way to a GPU. */
const FAST = { upload: 1e15, readback: 1e15, wait: 1e-9 };

Deno.test("selectEngine() takes WASM for what lives on the host, and says what it would cost", async () => {
  for (const gradient of [false, true]) {
    const choice = await selectEngine({ logits: HOST, gradient });
    assertEquals(choice.engine, "wasm");
    assert(
      /^4 kB .* take [\d.]+ ns here, and 12 ms on the way/.test(choice.reason),
    );
  }
  const tensor = { data: HOST, dims: [10, 100] };
  assertEquals((await selectEngine({ logits: tensor })).engine, "wasm");
  assertEquals(
    await selectEngine(),
    { engine: "wasm", reason: "no logits live on a GPU" },
  );
  const free = { ...FAST, wait: 0, wasm: 1e18 };
  assertEquals(
    (await selectEngine({ logits: HOST, rates: free })).engine,
    "wasm",
  );
  assertEquals(
    await selectEngine({ logits: HOST, prefer: "wasm" }),
    { engine: "wasm", reason: "it is preferred" },
  );
});

gpuTest(
  "selectEngine() leaves logits on the GPU where they are",
  async ({ heap }) => {
    const buffer = heap.create("logits", 64, GPUBufferUsage.STORAGE);
    const expected = { engine: "webgpu", reason: "the logits live on a GPU" };
    assertEquals(await selectEngine({ logits: buffer }), expected as never);
    assertEquals(
      await selectEngine({ logits: { buffer, offset: 0 } }),
      expected as never,
    );
    const tensor = { data: buffer, dims: [2, 8] };
    assertEquals(await selectEngine({ logits: tensor }), expected as never);
    await assertRejects(
      () => selectEngine({ logits: buffer, prefer: "wasm" }),
      RangeError,
      "read them back first",
    );
    heap.destroy(buffer);
  },
);

gpuTest(
  "selectEngine() takes no software for a GPU unless it is preferred",
  async ({ opened }) => {
    const choice = await selectEngine({ logits: HOST, rates: FAST });
    assertEquals(choice.engine, opened.fallback ? "wasm" : "webgpu");
    assert(choice.reason.includes(opened.name), choice.reason);
    const wanted = await selectEngine({ prefer: "webgpu" });
    assertEquals(wanted.engine, "webgpu");
    assert(wanted.reason.includes(opened.name), wanted.reason);
  },
);

Deno.test("selectEngine() names what is wrong with its options", async () => {
  const refused: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [{ prefer: "gpu" }, RangeError, "prefer must be one of"],
    [{ logits: [1, 2] }, TypeError, "logits must be a typed array"],
    [{ logits: { data: [1], dims: [1] } }, TypeError, "logits must be"],
    [{ rates: { wait: -1 } }, RangeError, "rates.wait must be"],
    [{ rates: { upload: 0 } }, RangeError, "rates.upload must be"],
    [{ rates: { down: 1 } }, TypeError, "every key of rates"],
    [{ gpu: true }, TypeError, "every key of options"],
  ];
  for (const [options, kind, message] of refused) {
    await assertRejects(() => selectEngine(options as never), kind, message);
  }
});

const canRun = Deno.permissions.querySync({ name: "run" }).state === "granted";

Deno.test({
  name: "without an adapter there is one line that says why, and WASM",
  ignore: !canRun,
  fn: async () => {
    const program = `
      import { selectEngine } from "${
      import.meta.resolve("../../src/select.ts")
    }";
      import { openGpu } from "${
      import.meta.resolve("../../src/webgpu/mod.ts")
    }";
      const rates = ${JSON.stringify(FAST)};
      const logits = new Float32Array(1000);
      const auto = await selectEngine({ logits, rates });
      const wanted = await selectEngine({ prefer: "webgpu" });
      const error = await openGpu().catch((error) => error);
      console.log(JSON.stringify([auto, wanted, error.name, error.message]));`;
    // no machine has this backend but Windows, and there it is named differently
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      env: { DENO_WEBGPU_BACKEND: Deno.build.os === "windows" ? "gl" : "dx12" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text !== "", new TextDecoder().decode(stderr));
    const [auto, wanted, name, message] = JSON.parse(text);
    const why =
      "No GPU: the system has no adapter that WebGPU can use (is a driver installed?)";
    const expected = { engine: "wasm", reason: why };
    assertEquals([auto, wanted], [expected, expected]);
    assertEquals([name, message], ["GpuUnavailableError", why]);
  },
});
