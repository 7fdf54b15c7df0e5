/**
 * Shaders to pipelines, each compiled once for a device, whoever asks. What a
 * compiler has against a shader becomes an error here and does not reach the
 * owner of a borrowed device.
 *
 * @module
 */

/** Pipelines of one shader that share a layout. */
export interface Compiled {
  layout: GPUBindGroupLayout;
  /** One for each entry point, in the order in which they were asked for. */
  pipelines: GPUComputePipeline[];
}

/** Values of a shader's overrides. */
export type Constants = Readonly<Record<string, number>>;

interface Shader {
  module: GPUShaderModule;
  layout: GPUBindGroupLayout;
  pipelineLayout: GPUPipelineLayout;
  pipelines: Map<string, Promise<GPUComputePipeline>>;
}

/** The shaders of one device. */
export class Compiler {
  readonly #device: GPUDevice;
  readonly #shaders = new Map<string, Promise<Shader>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The pipelines of the entry points of a shader, given as texts to be put together. */
  async compile<Entry extends string>(
    texts: readonly string[],
    bindings: readonly GPUBufferBindingType[],
    entries: readonly Entry[],
    constantsFor: (entry: Entry) => Constants,
  ): Promise<Compiled> {
    const code = texts.join("\n");
    let made = this.#shaders.get(code);
    if (made === undefined) {
      made = this.#shader(code, bindings);
      this.#shaders.set(code, made);
      made.catch(() => this.#shaders.delete(code));
    }
    const { module, layout, pipelineLayout, pipelines } = await made;
    return {
      layout,
      pipelines: await Promise.all(entries.map((entryPoint) => {
        const constants = constantsFor(entryPoint);
        const key = JSON.stringify([entryPoint, constants]);
        let pipeline = pipelines.get(key);
        if (pipeline === undefined) {
          pipeline = this.#device.createComputePipelineAsync({
            label: entryPoint,
            layout: pipelineLayout,
            compute: { module, entryPoint, constants },
          });
          pipelines.set(key, pipeline);
          // what failed once may be asked for again
          pipeline.catch(() => pipelines.delete(key));
        }
        return pipeline;
      })),
    };
  }

  async #shader(
    code: string,
    bindings: readonly GPUBufferBindingType[],
  ): Promise<Shader> {
    const device = this.#device;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    const layout = device.createBindGroupLayout({
      entries: bindings.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    const pipelineLayout = device.createPipelineLayout({
      bindGroupLayouts: [layout],
    });
    const error = await device.popErrorScope();
    if (error !== null) {
      throw new Error(`The shader does not compile: ${error.message}`);
    }
    return { module, layout, pipelineLayout, pipelines: new Map() };
  }
}

const compilers: WeakMap<GPUDevice, Compiler> = new WeakMap();

/** The compiler of a device. */
export function compilerOf(device: GPUDevice): Compiler {
  let compiler = compilers.get(device);
  if (compiler === undefined) {
    compiler = new Compiler(device);
    compilers.set(device, compiler);
  }
  return compiler;
}
