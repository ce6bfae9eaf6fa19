// WebKit on Linux, which WebKitGTK's MiniBrowser is, driven by WebDriver (W3C): a page with as much of puppeteer's as the scripts need.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import net from "node:net";
import { PATIENCE_MS, poll } from "./browser.mjs";

/** Keys that are no letters (WebDriver 17.4.2). */
const KEYS = { Escape: "\uE00C", End: "\uE010", ArrowLeft: "\uE012", ArrowRight: "\uE014", ArrowDown: "\uE015" };
/** Runs a function of the page, whose answer may be a promise. */
const RUN = (task) => `const done = arguments[arguments.length - 1];
  Promise.resolve().then(() => (${task})(...[...arguments].slice(0, -1))).then((value) => done({ value }), (error) => done({ error: String(error) }));`;

/** A port that nobody listens on. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts the browser on a display of its own. @param {string} binary MiniBrowser */
export async function openWebKit(binary) {
  const display = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1440x900x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const [number] = await once(display.stdio[3], "data");
  const port = await freePort();
  // A group of its own, which ends with this program whatever happens.
  const driver = spawn("WebKitWebDriver", ["-p", String(port)], { detached: true, stdio: "ignore", env: { ...process.env, DISPLAY: `:${String(number).trim()}`, TZ: "Europe/Berlin" } });
  process.on("exit", () => {
    display.kill();
    try {
      process.kill(-driver.pid);
    } catch {
      // It has ended.
    }
  });
  const ask = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${path}: ${value.error} ${value.message}`);
    return value;
  };
  await poll(() => ask("GET", "/status").then(() => true, () => false));
  // Whether a page is there is asked of the page: the driver now and then does not notice.
  const alwaysMatch = { pageLoadStrategy: "none", "webkitgtk:browserOptions": { binary, args: ["--automation", "--autoplay-policy=allow"] } };
  const { sessionId, capabilities } = await ask("POST", "/session", { capabilities: { alwaysMatch } });
  const tell = (method, path, body) => ask(method, `/session/${sessionId}/${path}`, body);
  await tell("POST", "timeouts", { script: PATIENCE_MS, pageLoad: PATIENCE_MS });
  await tell("POST", "window/rect", { x: 0, y: 0, width: 1440, height: 900 });
  const page = {
    async goto(url) {
      await tell("POST", "url", { url });
      await poll(() => page.evaluate((url) => location.href === url && document.readyState !== "loading", new URL(url).href).catch(() => false));
    },
    async evaluate(task, ...given) {
      const { value, error } = await tell("POST", "execute/async", { script: RUN(task), args: given });
      if (error) throw new Error(error);
      return value;
    },
    async waitForFunction(task, _, ...given) {
      if (!(await poll(() => page.evaluate(task, ...given).catch(() => false)))) throw new Error("it never came");
    },
    keyboard: {
      press(key) {
        const value = KEYS[key] ?? key;
        return tell("POST", "actions", { actions: [{ type: "key", id: "keys", actions: [{ type: "keyDown", value }, { type: "keyUp", value }] }] });
      },
    },
    async screenshot({ path }) {
      writeFileSync(path, Buffer.from(await tell("GET", "screenshot"), "base64"));
    },
  };
  return { page, version: `${capabilities.browserName} ${capabilities.browserVersion}`, close: () => tell("DELETE", "") };
}
