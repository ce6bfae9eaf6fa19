// Elements, made of values. Values become attributes and text, never markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

/** A handler of any event: the caller knows which. @typedef {(event: any) => unknown} Handler */

/** What an element has: `on…` are listeners, `true` is an attribute without a value, `false` and `null` are none. `aria-…` are words.
 * @typedef {Record<string, string | number | boolean | null | undefined | Handler>} Properties */

/**
 * An element: `h("button.chip", { onclick }, "All")`.
 * @template {string} S
 * @param {S} selector a tag and its classes
 * @param {...(Child | Properties)} rest properties, if any, and children
 * @returns {HTMLElementTagNameMap[S extends `${infer Tag}.${string}` ? Tag & keyof HTMLElementTagNameMap : S & keyof HTMLElementTagNameMap]}
 */
export function h(selector, ...rest) {
  const [tag = "", ...classes] = selector.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  if (tag === "button") element.setAttribute("type", "button");
  const first = rest[0];
  if (typeof first === "object" && first !== null && !(first instanceof Node)) {
    rest.shift();
    for (const [name, value] of Object.entries(first)) {
      if (typeof value === "function") element.addEventListener(name.slice(2), value);
      else if (value === true && !name.startsWith("aria-")) element.setAttribute(name, "");
      else if ((value !== false || name.startsWith("aria-")) && value !== null && value !== undefined) element.setAttribute(name, String(value));
    }
  }
  fill(element, .../** @type {Child[]} */ (rest));
  return /** @type {any} */ (element);
}

/** Puts children into an element in place of those that it has. Where one of them had the focus, the one with its name has it next, or else
 * what stands around them. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  const focused = document.activeElement;
  const had = focused instanceof HTMLElement && focused !== element && element.contains(focused) ? focused : undefined;
  element.replaceChildren(...nodes(children));
  if (!had || document.activeElement === had) return;
  const next = [had, ...element.querySelectorAll(had.tagName)].find((one) => one.isConnected && nameOf(one) === nameOf(had)) ?? element.closest("[tabindex]");
  /** @type {HTMLElement | null} */ (next)?.focus({ preventScroll: true });
}

/** @param {Child[]} children */
function nodes(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** @param {Element} element */
function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/** Makes the children of an element like these. What is like that already stays, with the focus in it and the place where somebody reads: so
 * that is for what is drawn again and again. What a listener of a child knows has to stand in an attribute, too.
 * @param {Element} element @param {...Child} children */
export function renew(element, ...children) {
  const fresh = nodes(children);
  fresh.forEach((one, index) => {
    const old = element.childNodes[index];
    if (!old) element.append(one);
    else if (old !== one && !old.isEqualNode(one)) {
      if (old instanceof Element && one instanceof Element && old.cloneNode().isEqualNode(one.cloneNode())) renew(old, ...one.childNodes);
      else old.replaceWith(one);
    }
  });
  while (element.childNodes.length > fresh.length) element.lastChild?.remove();
}

/** Sets a text where it is another one, so that nothing is laid out again for nothing. A text that is there stays the same node. @param {Node} node @param {string} text */
export function setText(node, text) {
  const { firstChild } = node;
  if (firstChild instanceof Text && !firstChild.nextSibling) {
    if (firstChild.data !== text) firstChild.data = text;
  } else if (node.textContent !== text) node.textContent = text;
}

/** The element with an id, which the page has. @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no #${id}`);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** Paths on a square of 16, drawn as lines. */
const ICONS = {
  live: "M1.5 3.5h5.5v4h-5.5zM9 3.5h5.5v4H9zM1.5 9.5h5.5v4h-5.5zM9 9.5h5.5v4H9z",
  camera: "M1.5 4.5h9v7h-9zM10.5 7.3l4-2v5.4l-4-2",
  side: "M1.5 3h13v10h-13zM8 3v10M4 15h8",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M10.5 10.5l3.5 3.5",
  health: "M1.5 8.5H5l2-5 2.5 9 1.8-4h3.2",
  back: "M11 3.5L5.5 8l5.5 4.5zM3 3.5v9",
  forward: "M5 3.5L10.5 8 5 12.5zM13 3.5v9",
  previous: "M12 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4M7.5 4l-4 4 4 4",
  next: "M4 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4M8.5 4l4 4-4 4",
  sound: "M2 6v4h2.5L8 13V3L4.5 6zM11 5.5a4 4 0 0 1 0 5M13 3.5a7 7 0 0 1 0 9",
  muted: "M2 6v4h2.5L8 13V3L4.5 6zM11 6l4 4M15 6l-4 4",
  boxes: "M2 5V2.5h2.5M11.5 2.5H14V5M14 11v2.5h-2.5M4.5 13.5H2V11M8 6.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6",
  full: "M9.5 2H14v4.5M6.5 14H2V9.5M14 2L9.5 6.5M2 14l4.5-4.5",
  link: "M6.5 9.5a3 3 0 0 0 4.3 0l2.2-2.2A3 3 0 0 0 8.7 3l-.9.9M9.5 6.5a3 3 0 0 0-4.3 0L3 8.7A3 3 0 0 0 7.3 13l.9-.9",
  download: "M8 2v8M4.8 7L8 10.2 11.2 7M2.5 13.5h11",
  theme: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  plus: "M8 3v10M3 8h10", minus: "M3 8h10", close: "M4 4l8 8M12 4l-8 8",
  left: "M10 3.5L5.5 8l4.5 4.5", right: "M6 3.5L10.5 8 6 12.5",
  tick: "M3 8.5l3.3 3.3L13 5",
  warning: "M8 2L15 14H1zM8 6.5v3.5M8 12v.1",
  fault: "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6",
  keys: "M1.5 4h13v8h-13zM4 7h.1M7 7h.1M10 7h.1M12.5 7h.1M5 9.5h6",
  offline: "M1.5 6.5a9 9 0 0 1 13 0M4 9.2a5.5 5.5 0 0 1 8 0M8 12.5v.1M2.5 14l11-12",
  lock: "M3 7h10v7H3zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  play: "M4.5 2.5v11l9-5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z",
  logo: "M1 2h14v8.5H1zM8 10.5v4M5.5 14.5h5M8 5a1.25 1.25 0 1 0 0 2.5a1.25 1.25 0 1 0 0-2.5",
};

/** @typedef {keyof typeof ICONS} Icon */

/** A drawing without words: what it stands beside says them. @param {Icon} name @param {string} [classes] */
export function icon(name, classes = "") {
  return drawing(ICONS[name], 16, `icon ${name === "play" || name === "pause" ? "filled" : ""} ${classes}`);
}

/** @param {string} path @param {number} size @param {string} classes */
export function drawing(path, size, classes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("class", classes.trim());
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** A button that is an icon. @param {Icon} name @param {string} label @param {Handler} onclick @param {string} [classes] */
export function iconButton(name, label, onclick, classes = "") {
  return h("button", { class: `button square ${classes}`, "aria-label": label, title: label, onclick }, icon(name));
}

/** A button with words. What it does is not begun again before it is done. @param {string} label @param {Handler} onclick @param {string} [classes] */
export function button(label, onclick, classes = "outlined") {
  let isBusy = false;
  return h("button", { class: `button ${classes}`, onclick: async (/** @type {Event} */ event) => {
    if (isBusy) return;
    isBusy = true;
    try {
      await onclick(event);
    } finally {
      isBusy = false;
    }
  } }, label);
}

/** A switch in a row of choices. @param {boolean} on @param {Handler} onclick @param {...Child} words */
export function chip(on, onclick, ...words) {
  return h("button.chip", { "aria-pressed": on, onclick }, ...words);
}

/** Shows a dialog until it is closed. The focus goes to what is to be filled in, or else to all of it, so that it is read from its title on. @param {string} title @param {...Child} parts */
export function showDialog(title, ...parts) {
  const dialog = h("dialog", { "aria-label": title, tabindex: "-1" }, h("h2", title), ...parts);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  if (!dialog.querySelector("form")) dialog.focus();
  return dialog;
}

/** A button that closes the dialog that it is in. */
export function closeButton() {
  return button("Close", (event) => event.target.closest("dialog").close());
}

/** What got the focus last, if not by a pointer. @type {EventTarget | null} */
let reached = null;
addEventListener("focusin", ({ target }) => { reached = target instanceof Element && target.matches(":focus-visible") ? target : null; });

/** Whether each change of an element is read to somebody who is there by keys. @param {Element | null} element */
export function isSpoken(element) {
  return element !== null && element === reached && element === document.activeElement;
}

/** Between two things that are said. */
const SAID_MS = 1000;
let saidAt = -Infinity;
/** What is to be said. */
let waiting = "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let saying;

/** Says something to screen readers, at most once a second: the last of what comes sooner is said then. @param {string} text */
export function say(text) {
  clearTimeout(saying);
  waiting = text;
  saying = setTimeout(() => {
    saidAt = performance.now();
    waiting = "";
    setText(byId("say"), text);
  }, saidAt + SAID_MS - performance.now());
}

/** Says something behind what waits to be said, unless that, or what was said just now, tells the gist of it. @param {string} text @param {string} gist */
export function sayToo(text, gist) {
  const told = performance.now() - saidAt < 2 * SAID_MS ? byId("say").textContent : "";
  if ([waiting, told, document.activeElement?.ariaValueText].some((words) => words?.includes(gist))) return;
  say([waiting, text].filter(Boolean).join(". "));
}
