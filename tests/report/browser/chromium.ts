/**
 * A headless Chromium for tests, driven over its DevTools protocol: a process, a
 * socket to this machine, and the few commands that the tests need. It brings no
 * package, and refuses to be a framework.
 *
 * @module
 */

/** Where Chromium may be; `CHROMIUM` names another. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

// No sandbox: containers seldom let one be built. The rest keeps it quiet, so
// that whatever request is seen is the page's own.
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

/** The path of a Chromium, or null where there is none. */
export function findChromium(): string | null {
  const named = Deno.env.get("CHROMIUM");
  for (const path of named ? [named] : PLACES) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch { /* it is not there */ }
  }
  return null;
}

/** What the protocol sends. */
interface Message {
  id?: number;
  method?: string;
  // deno-lint-ignore no-explicit-any -- the protocol's own shapes
  params?: any;
  // deno-lint-ignore no-explicit-any -- the protocol's own shapes
  result?: any;
  error?: { message: string };
  sessionId?: string;
}

/** One page of a running Chromium. */
export class Page {
  /** What the page wrote to its console, and errors that nothing caught. */
  readonly complaints: string[] = [];
  /** The addresses that it asked for. */
  readonly requests: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Message>>();
  readonly #loads: (() => void)[] = [];
  #session = "";
  #next = 1;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  #receive({ id, method, params, ...rest }: Message): void {
    if (id !== undefined) this.#waiting.get(id)?.resolve(rest);
    if (method === "Page.loadEventFired") this.#loads.shift()?.();
    if (method === "Network.requestWillBeSent") {
      this.requests.push(params.request.url);
    }
    if (method === "Log.entryAdded") this.complaints.push(params.entry.text);
    if (method === "Runtime.consoleAPICalled") {
      this.complaints.push(JSON.stringify(params.args));
    }
    if (method === "Runtime.exceptionThrown") {
      const { exceptionDetails } = params;
      this.complaints.push(
        exceptionDetails.exception?.description ?? exceptionDetails.text,
      );
    }
  }

  /** Sends a command and waits for its result. */
  // deno-lint-ignore no-explicit-any -- the protocol's own shapes
  async send(method: string, params: object = {}): Promise<any> {
    const id = this.#next++;
    const reply = Promise.withResolvers<Message>();
    this.#waiting.set(id, reply);
    const sessionId = this.#session === "" ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...sessionId }));
    const { result, error } = await reply.promise;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** Makes the page, and has it report what it does. */
  async open(): Promise<void> {
    const { targetId } = await this.send("Target.createTarget", {
      url: "about:blank",
    });
    const { sessionId } = await this.send("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    this.#session = sessionId;
    for (const domain of ["Page", "Network", "Log", "Runtime"]) {
      await this.send(`${domain}.enable`);
    }
  }

  /** Goes to an address and waits until it is loaded. */
  async visit(url: string): Promise<void> {
    const loaded = new Promise<void>((done) => this.#loads.push(done));
    await this.send("Page.navigate", { url });
    await loaded;
  }

  /** The value of an expression in the page; promises are waited for. */
  // deno-lint-ignore no-explicit-any -- whatever the page has
  async value(expression: string): Promise<any> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) {
      throw new Error(
        exceptionDetails.exception?.description ?? exceptionDetails.text,
      );
    }
    return result.value;
  }

  /** Waits until an expression is true, for ten seconds at most unless said. */
  async until(expression: string, seconds = 10): Promise<void> {
    for (let i = 0; i < 20 * seconds; i++) {
      if (await this.value(expression)) return;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    throw new Error(`Never came true: ${expression}`);
  }

  /** The middle of the first element that fits, scrolled to where it can be seen. */
  async #middle(selector: string): Promise<{ x: number; y: number }> {
    const at = await this.value(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      if (!element) return null;
      element.scrollIntoView({ block: "center" });
      const { x, y, width, height } = element.getClientRects()[0];
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    if (at === null) throw new Error(`There is no ${selector}`);
    return at;
  }

  async #mouse(type: string, at: object, more: object = {}): Promise<void> {
    await this.send("Input.dispatchMouseEvent", { type, ...at, ...more });
  }

  /** Moves the mouse over an element. */
  async hover(selector: string): Promise<void> {
    await this.#mouse("mouseMoved", await this.#middle(selector));
  }

  /** Clicks on an element, as a hand would. */
  async click(selector: string): Promise<void> {
    const at = await this.#middle(selector);
    const button = { button: "left", clickCount: 1 };
    await this.#mouse("mouseMoved", at);
    await this.#mouse("mousePressed", at, button);
    await this.#mouse("mouseReleased", at, button);
  }

  /** Presses a key, by its name. */
  async press(key: string): Promise<void> {
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
  }

  /** Types a text into whatever has the focus. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text });
  }

  /** Sets the size of the page, and whether it prefers a dark scheme. */
  async look(width: number, height: number, scheme = "light"): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: 1,
      mobile: false,
    });
    await this.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** The page as a PNG: what is seen, or all of it. */
  async picture(whole = false): Promise<Uint8Array> {
    const { data } = await this.send("Page.captureScreenshot", {
      captureBeyondViewport: whole,
      ...(whole
        ? { clip: { x: 0, y: 0, scale: 1, ...await this.#size() } }
        : {}),
    });
    return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  }

  async #size(): Promise<{ width: number; height: number }> {
    const { cssContentSize: { width, height } } = await this.send(
      "Page.getLayoutMetrics",
    );
    return { width, height: Math.min(height, 16_000) };
  }
}

/** Runs `use` with a page of a Chromium that lives as long; `flags` are added to its command line. */
export async function withPage<T>(
  path: string,
  use: (page: Page) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const home = await Deno.makeTempDir();
  const browser = new Deno.Command(path, {
    args: [...FLAGS, ...flags, `--user-data-dir=${home}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const socket = new WebSocket(await addressOf(home));
    await new Promise((open, fail) => {
      socket.onopen = open;
      socket.onerror = fail;
    });
    const page = new Page(socket);
    await page.open();
    try {
      return await use(page);
    } finally {
      const closed = new Promise((done) => socket.onclose = done);
      new Page(socket).send("Browser.close").catch(() => {});
      // one that hangs or is gone is not waited for
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise((wake) => timer = setTimeout(wake, 5000));
      await Promise.race([closed, patience]);
      clearTimeout(timer);
    }
  } finally {
    try {
      browser.kill();
    } catch { /* it has ended */ }
    await browser.status;
    await Deno.remove(home, { recursive: true }).catch(() => {});
  }
}

/** The socket's address, which Chromium writes into its home. */
async function addressOf(home: string): Promise<string> {
  for (let i = 0; i < 600; i++) {
    const text = await Deno.readTextFile(`${home}/DevToolsActivePort`)
      .catch(() => "");
    const [port, path] = text.split("\n");
    if (port && path) return `ws://127.0.0.1:${port}${path}`;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error("Chromium did not come up within 30 seconds");
}
