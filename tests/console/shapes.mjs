// What the timeline draws, without its colours: each state of what was recorded, each proof and each kind of sighting has a shape of its
// own, and each cause of a gap its words. And the style sheet's colours, each of which has a name.

import { check } from "./browser.mjs";

/** Draws made-up lanes on a canvas of the page's, and compares what of them is not ground. */
export async function shapes(page) {
  const drawn = await page.evaluate(async () => {
    const [{ HEIGHTS, drawLanes }, { colour }, { cause }] = await Promise.all(["lanes", "palette", "words"].map((name) => consoleModule(`${name}.js`)));
    const ground = ["0,0,0,0", `${colour("bg").match(/\d+/g).join()},255`];
    const [from, second] = [Date.parse("2026-11-27T10:00:00Z"), 1000];
    const span = { from, to: from + 600 * second };
    const none = { recorded: [], gaps: [], removed: [], activity: [], segments: [], integrity: [], sightings: [], counts: [], notLookedAt: [], now: span.to };
    const one = { site: "s", camera: "c" };
    const holder = document.createElement("div");
    const canvas = document.createElement("canvas");
    holder.append(canvas);
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    const written = [];
    const write = pen.fillText.bind(pen);
    pen.fillText = (text, ...given) => { written.push(text); write(text, ...given); };
    /** What of a part of the lanes is not ground. What is drawn is put into the middle of a span of ten minutes. */
    const grey = (data, [y, tall], more = {}) => {
      const picture = {
        width: 600, span, names: [one], of: one, spans: [], failed: false, faults: [], data: { ...none, ...data }, day: undefined, daySpan: span, labels: [], hidden: new Set(),
        playhead: from - 1e9, hover: undefined, chosen: undefined, marked: { from: undefined, to: undefined }, now: span.to, narrow: true, ...more,
      };
      if (more.names) picture.spans = more.names.map(() => picture.data);
      drawLanes(canvas, picture);
      const ratio = devicePixelRatio;
      const { data: pixels } = pen.getImageData(180 * ratio, y * ratio, 240 * ratio, tall * ratio);
      let mask = "";
      for (let at = 0; at < pixels.length; at += 4) mask += ground.includes(pixels.slice(at, at + 4).join()) ? " " : "#";
      return mask;
    };
    const middle = (s) => ({ from: from + 300 * second - (s / 2) * second, to: from + 300 * second + (s / 2) * second });
    const rec = [HEIGHTS.axis, HEIGHTS.rec];
    const proofs = (signature, more = {}) => grey({ integrity: [{ ...middle(60), signature, chain: "linked", ...more }] }, [HEIGHTS.axis + HEIGHTS.rec, HEIGHTS.sign]);
    const seen = (label, s) => grey({ sightings: [{ label, ...middle(s) }] }, [HEIGHTS.axis + HEIGHTS.rec, HEIGHTS.seen], { labels: [label] });
    const together = (label) => grey({ sightings: [{ label, ...middle(30) }] }, [HEIGHTS.axis, HEIGHTS.camera], { names: [one, { ...one, camera: "d" }] });
    const labels = ["person", "vehicle", "animal", "motion"];
    const causes = ["camera-lost", "not-running", "receiver-overrun", "spool-full", "spool-failed", "clock-jump", "source-damaged", "not-in-source", undefined];
    return {
      "what was recorded": [["nothing", grey({}, rec)], ["recorded", grey({ recorded: [middle(60)] }, rec)], ["a gap", grey({ gaps: [{ ...middle(20), cause: "camera-lost" }] }, rec)], ["removed", grey({ removed: [middle(20)] }, rec)]],
      proofs: [["signed", proofs("valid")], ["not known", proofs("unknown")], ["not signed", proofs("absent")], ["does not match", proofs("invalid")]],
      "a moment's sightings": labels.map((label) => [label, seen(label, 0)]),
      "longer sightings": labels.map((label) => [label, seen(label, 30)]),
      "sightings of several cameras": labels.map((label) => [label, together(label)]),
      // One that is as wide as the span has room for its words.
      words: causes.map((name) => {
        written.length = 0;
        grey({ gaps: [{ from: from + 30 * second, to: from + 570 * second, cause: name }] }, rec);
        return { name, words: cause({ cause: name }), drawn: written.filter((text) => text.startsWith("No video ") && text.endsWith(`: ${cause({ cause: name })}`)).length };
      }),
    };
  });
  const { words, ...all } = drawn;
  for (const [what, made] of Object.entries(all)) {
    const alike = made.filter(([, mask], index) => made.findIndex(([, other]) => other === mask) !== index || (index > 0 && !mask.includes("#")));
    check(`without colours, ${what} look different from each other`, alike.length === 0, alike.map(([name]) => name).join(", "));
  }
  check("each cause of a gap is told in words, in it", words.every((one) => one.drawn === 1) && new Set(words.map((one) => one.words)).size === words.length, JSON.stringify(words.filter((one) => one.drawn !== 1)));

  // A style sheet has its colours from the list at its beginning. What the system chooses, where somebody wants that, has no other name.
  const colours = await page.evaluate(() => {
    const found = { tokens: 0, used: 0, others: [] };
    const rules = (list) => [...list].flatMap((rule) => (rule.cssRules?.length ? [...(rule.style ? [rule] : []), ...(rule.conditionText?.includes("forced-colors") ? [] : rules(rule.cssRules))] : rule.style ? [rule] : []));
    for (const { selectorText, style } of [...document.styleSheets].flatMap((sheet) => rules(sheet.cssRules))) {
      for (const declaration of style.cssText.split(/;\s*/)) {
        const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(declaration) ?? [];
        if (name === undefined) continue;
        if (name.startsWith("--")) {
          found.tokens += 1;
          continue;
        }
        if (/var\(/.test(value)) found.used += 1;
        if (["content", "font-family", "grid-template-areas", "transition", "transition-property"].includes(name)) continue;
        const words = value.replace(/var\([^()]*\)|"[^"]*"/g, "").match(/#[\da-f]{3,8}\b|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\([^)]*\)|[a-z]+/gi) ?? [];
        const own = words.filter((word) => CSS.supports("color", word) && !/^(transparent|currentcolor|inherit|initial|unset|revert)$/i.test(word));
        if (own.length > 0) found.others.push(`${selectorText} { ${declaration} }`);
      }
    }
    return found;
  });
  check("every colour of the style sheet is one of its list", colours.others.length === 0 && colours.tokens > 40 && colours.used > 100, `${colours.used} uses; ${colours.others.join(" ")}`);
}
