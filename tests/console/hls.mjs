// A page with a `<video>` and hls.js, at `play.html` of a line to the server.

import fs from "node:fs";
import { Line } from "./line.mjs";

const PAGE = "<!doctype html><meta charset=utf-8><title>HLS</title><video muted playsinline></video><script src=/hls.js></script>";

/** Opens a line to a server that also has the page. @param {string} server */
export async function hlsLine(server) {
  const library = fs.readFileSync(new URL("node_modules/hls.js/dist/hls.js", import.meta.url));
  const line = new Line(server);
  line.instead = (url) => {
    if (url.pathname === "/play.html") return { type: "text/html", body: PAGE };
    if (url.pathname === "/hls.js") return { type: "text/javascript", body: library };
    if (url.pathname === "/favicon.ico") return { status: 204, type: "image/png", body: "" };
    return undefined;
  };
  await line.open();
  return line;
}
