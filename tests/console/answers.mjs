// Answers of the API, with sightings put in: what no detector of the test sees, and names that no camera of ours could have.

/** A text that would be markup if anybody took it for that. */
export const HOSTILE = "<img src=x onerror=alert(1)>";

const sighting = (chunk, label, index) => ({
  site: chunk.site, camera: chunk.camera, label, from: chunk.from, to: chunk.to, score: 0.91 - index / 20, pictures: 2, most: 1, zones: [],
  best: { time: chunk.from, key: chunk.key, offset: 0, media: chunk.media, box: { left: 0.3, top: 0.2, width: 0.2, height: 0.5 } },
  model: { name: "test" },
});

/** Puts sightings into the answers that have any. */
export async function withSightings(page, chunks) {
  const seen = [["person", 1], ["vehicle", 3], [HOSTILE, 5]].map(([label, at], index) => sighting(chunks[at], label, index));
  const of = (query) => seen.filter((one) => (!query.get("camera") || one.camera === query.get("camera"))
    && (!query.get("label") || query.get("label").split(",").includes(one.label))
    && (!query.get("from") || Date.parse(one.to) > Date.parse(query.get("from"))) && (!query.get("to") || Date.parse(one.from) < Date.parse(query.get("to"))));
  const put = {
    "/v1/sightings": (answer, query) => ({ ...answer, sightings: of(query).reverse() }),
    "/v1/timeline": (answer, query) => ({ ...answer, sightings: of(query), counts: of(query).map(({ from, label }) => ({ from, label, count: 1 })) }),
    "/v1/detections": (answer, query) => ({
      ...answer,
      chunks: of(query).map((one) => ({
        key: one.best.key, from: one.from, to: one.to, model: one.model,
        frames: [{ time: one.from, offset: 0, detections: [{ label: one.label, score: one.score, box: one.best.box, zones: [] }] }],
      })),
    }),
    "/v1/cameras": (answer) => ({ ...answer, cameras: [...answer.cameras, { ...answer.cameras[0], camera: HOSTILE, site: HOSTILE }] }),
  };
  await page.setRequestInterception(true);
  page.on("request", async (request) => {
    const url = new URL(request.url());
    if (url.pathname.startsWith("/v1/clips/")) url.pathname = url.pathname.replaceAll(encodeURIComponent(HOSTILE), "none");
    if (url.pathname === "/v1/clips/none/none.json") {
      const { from, to } = Object.fromEntries(url.searchParams);
      return request.respond({ contentType: "application/json", body: JSON.stringify({ from, to, sizeBytes: 1000, seconds: 1, gapsSkipped: 0, media: "/v1/media/none" }) });
    }
    const change = put[url.pathname];
    if (!change || request.method() !== "GET") return request.continue();
    // The API knows no such names, and would refuse them.
    if (url.searchParams.get("camera") === HOSTILE) for (const name of ["site", "camera"]) url.searchParams.set(name, chunks[0][name]);
    const answer = await fetch(url);
    if (!answer.ok) return request.continue();
    return request.respond({ contentType: "application/json", body: JSON.stringify(change(await answer.json(), url.searchParams)) });
  });
  return seen;
}
