// The line between the page and the server, which a test can cut, and on which it can change what comes.

import http from "node:http";

/** @typedef {{ status?: number, type?: string, headers?: Record<string, string>, body: string | Buffer }} Given */

export class Line {
  /** What is answered in the server's place: nothing for most. @type {(url: URL, request: http.IncomingMessage) => Given | undefined | Promise<Given | undefined>} */
  instead = () => undefined;
  /** What becomes of an answer on its way: it comes, it breaks off in the middle, or it never begins. @type {(url: URL) => "comes" | "breaks off" | "never begins"} */
  fate = () => "comes";
  #sockets = new Set();
  #port = 0;

  constructor(server) {
    this.server = new URL(server);
  }

  get base() {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** The server is there, at the port that it had before. */
  async open() {
    this.listening = http.createServer((request, response) => this.#answer(request, response));
    this.listening.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    await new Promise((go) => this.listening.listen(this.#port, "127.0.0.1", go));
    this.#port = this.listening.address().port;
  }

  /** The server is gone: connections end in the middle of what they carry, and new ones are refused. */
  async cut() {
    const closed = new Promise((go) => this.listening.close(go));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.server);
    const given = await this.instead(url, request);
    if (given) {
      response.writeHead(given.status ?? 200, { "content-type": given.type ?? "application/json", ...given.headers });
      response.end(given.body);
      return;
    }
    const fate = this.fate(url);
    if (fate === "never begins") {
      request.socket.destroy();
      return;
    }
    const headers = { ...request.headers, host: this.server.host };
    delete headers.authorization;
    const asked = http.request(url, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      if (fate === "comes") answer.pipe(response);
      else {
        answer.once("data", (data) => response.write(data.subarray(0, data.length / 2), () => response.destroy()));
        answer.once("end", () => response.destroy());
      }
    });
    asked.on("error", () => response.destroy());
    response.on("close", () => asked.destroy());
    request.pipe(asked);
  }
}
