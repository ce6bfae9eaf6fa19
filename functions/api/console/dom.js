// Elements, made of values. Values become attributes and text, never markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

/** A handler of any event: the caller knows which. @typedef {(event: any) => void} Handler */

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

/** Puts children into an element in place of those that it has. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.filter((child) => child !== null && child !== undefined && child !== false)
      .map((child) => (child instanceof Node ? child : String(child))));
}

/** Sets a text where it is another one, so that nothing is laid out again for nothing. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
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
  live: "M1.5 3.5h5.500v4h-5.500zM9 3.500h5.500v4H9zM1.500 9.500h5.500v4h-5.500zM9 9.500h5.500v4H9z",
  camera: "M1.500 4.500h9v7h-9zM10.500 7.300l4-2v5.400l-4-2",
  side: "M1.500 3h13v10h-13zM8 3v10M4 15h8",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9a4.500 4.500 0 1 0 0-9M10.500 10.500l3.500 3.500",
  health: "M1.500 8.500H5l2-5 2.500 9 1.800-4h3.200",
  back: "M11 3.500L5.500 8l5.500 4.500zM3 3.500v9",
  forward: "M5 3.500L10.500 8 5 12.500zM13 3.500v9",
  previous: "M12 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4M7.500 4l-4 4 4 4",
  next: "M4 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4M8.500 4l4 4-4 4",
  sound: "M2 6v4h2.500L8 13V3L4.500 6zM11 5.500a4 4 0 0 1 0 5M13 3.500a7 7 0 0 1 0 9",
  muted: "M2 6v4h2.500L8 13V3L4.500 6zM11 6l4 4M15 6l-4 4",
  boxes: "M2 5V2.500h2.500M11.500 2.500H14V5M14 11v2.500h-2.500M4.500 13.500H2V11M8 6.200a1.800 1.800 0 1 0 0 3.600a1.800 1.800 0 1 0 0-3.600",
  full: "M9.500 2H14v4.500M6.500 14H2V9.500M14 2L9.500 6.500M2 14l4.500-4.500",
  link: "M6.500 9.500a3 3 0 0 0 4.300 0l2.200-2.200A3 3 0 0 0 8.700 3l-.9.900M9.500 6.500a3 3 0 0 0-4.300 0L3 8.700A3 3 0 0 0 7.300 13l.9-.9",
  download: "M8 2v8M4.800 7L8 10.200 11.200 7M2.500 13.500h11",
  theme: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  plus: "M8 3v10M3 8h10", minus: "M3 8h10", close: "M4 4l8 8M12 4l-8 8",
  left: "M10 3.500L5.500 8l4.500 4.500", right: "M6 3.500L10.500 8 6 12.500",
  tick: "M3 8.500l3.300 3.300L13 5",
  warning: "M8 2L15 14H1zM8 6.500v3.500M8 12v.1",
  fault: "M5.300 1.500h5.400l3.800 3.800v5.400l-3.800 3.800H5.300l-3.800-3.800V5.300zM5.700 5.700l4.600 4.600M10.300 5.700l-4.600 4.600",
  keys: "M1.500 4h13v8h-13zM4 7h.1M7 7h.1M10 7h.1M12.500 7h.1M5 9.500h6",
  offline: "M1.500 6.500a9 9 0 0 1 13 0M4 9.200a5.500 5.500 0 0 1 8 0M8 12.500v.1M2.500 14l11-12",
  lock: "M3 7h10v7H3zM5.500 7V5a2.500 2.500 0 0 1 5 0v2",
  play: "M4.500 2.500v11l9-5.500z", pause: "M4 3h3v10H4zM9 3h3v10H9z",
  logo: "M1 2h14v8.500H1zM8 10.500v4M5.500 14.500h5M8 5a1.250 1.250 0 1 0 0 2.500a1.250 1.250 0 1 0 0-2.500",
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

/** A button with words. @param {string} label @param {Handler} onclick @param {string} [classes] */
export function button(label, onclick, classes = "outlined") {
  return h("button", { class: `button ${classes}`, onclick }, label);
}

/** A switch in a row of choices. @param {boolean} on @param {Handler} onclick @param {...Child} words */
export function chip(on, onclick, ...words) {
  return h("button.chip", { "aria-pressed": on, onclick }, ...words);
}

let saidAt = 0;

/** Says something to screen readers, at most once a second. @param {string} text */
export function say(text) {
  const at = Date.now();
  if (at - saidAt < 1000 && saidAt > 0) return;
  saidAt = at;
  setText(byId("say"), text);
}
