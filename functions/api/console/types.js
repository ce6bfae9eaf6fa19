// The answers of the API, as far as the console reads them. Times are RFC 3339.

/** @typedef {{ key: string, from: string, to: string, seconds?: number, sizeBytes: number, initBytes?: number, mediaEnd?: number,
 *   mimeType: string, sampleEntryDigest?: string, startsWithRandomAccess?: boolean, media: string }} Segment */
/** @typedef {{ site: string, camera: string, first?: string, last?: string, lastChunk?: Segment }} Camera */
/** @typedef {{ cameras: Camera[], now: string }} Cameras */
/** @typedef {{ state: "first" | "linked" | "broken" | "absent" }} Chain */
/** @typedef {{ sha256?: string, content?: string, signature: string, keyId?: string, chain: Chain }} Integrity */
/** @typedef {Segment & { frameRate?: number, clock?: string, uncertaintyUs?: number, integrity: Integrity }} Chunk */
/** @typedef {{ chunks: Chunk[], next?: string }} Chunks */
/** @typedef {{ from: string, to: string, cause?: string, detail?: string }} Gap */
/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/** @typedef {{ site: string, camera: string, label: string, from: string, to: string, score: number,
 *   best: { time: string, key: string, offset: number, media: string, box?: Box } }} Sighting */
/** @typedef {{ from: string, to: string, signature: string, content?: string, chain: string }} Stretch */
/** @typedef {{ now: string, sizeBytes: number, chunks: number, recorded: { from: string, to: string }[], gaps: Gap[],
 *   activity: { from: string, to: string, level: number }[], integrity: Stretch[], sightings: Sighting[],
 *   sightingsTruncated: boolean, counts: { from: string, label: string, count: number }[],
 *   notLookedAt: { from: string, to: string, reason: string }[], segments: Segment[] }} Timeline */
/** @typedef {{ day: string, from: string, to: string, seconds: number }} Day */
/** @typedef {{ label: string, score: number, box: Box }} Detection */
/** @typedef {{ chunks: { from: string, to: string, skipped?: string,
 *   frames: { time?: string, offset: number, detections: Detection[] }[] }[] }} Detections */
/** @typedef {{ camera: string, state: string, lastFrame?: string, gaps: number, waitingObjects: number, lastError?: string }} ReportedCamera */
/** @typedef {{ site: string, at: string, quarantinedObjects: number, gatewayClock: { synchronized: boolean, offsetUs?: number },
 *   spool: { objects: number, bytes: number, oldestAgeSeconds: number }, upload: { lastError?: string },
 *   cameras: ReportedCamera[] }} Report */
/** @typedef {{ gateways: { site: string, signature: string, report: Report }[], now: string }} Gateways */
/** @typedef {{ from: string, to: string, sizeBytes: number, seconds: number, gapsSkipped: number, media: string }} ClipPlan */
/** @typedef {{ from: number, to: number }} Span  In milliseconds since 1970. */

export {};
