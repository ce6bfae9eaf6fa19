// What the API answers, as far as the console reads it. Times are milliseconds since 1970: `json` of `api.js` makes them of RFC 3339.

type Segment = {
  key: string; from: number; to: number; seconds?: number; sizeBytes: number; initBytes?: number; mediaEnd?: number; mimeType: string;
  sampleEntryDigest?: string; startsWithRandomAccess?: boolean; media: string;
};
/** A camera by its two names. */
type Name = { site: string; camera: string };
type Camera = Name & { first?: number; last?: number; lastChunk?: Segment };
type Cameras = { cameras: Camera[]; now: number };
type ChainState = { state: "first" | "linked" | "broken" | "absent" };
type Integrity = { sha256?: string; content?: string; signature: string; keyId?: string; chain: ChainState };
type Chunk = Segment & { frameRate?: number; clock?: string; uncertaintyUs?: number; integrity: Integrity };
type Gap = { from: number; to: number; cause?: string; detail?: string };
type Box = { left: number; top: number; width: number; height: number };
type Sighting = Name & {
  label: string; from: number; to: number; score: number;
  best: { time: number; key: string; offset: number; media: string; box?: Box };
};
/** A stretch whose files were removed. */
type Removed = Span & { chunks: number; removedAt: number; cause?: string };
type Stretch = { from: number; to: number; signature: string; content?: string; chain: string };
type Timeline = {
  now: number; sizeBytes: number; chunks: number; recorded: Span[]; gaps: Gap[]; removed: Removed[]; activity: (Span & { level: number })[];
  integrity: Stretch[]; sightings: Sighting[]; sightingsTruncated: boolean; counts: { from: number; label: string; count: number }[];
  notLookedAt: (Span & { reason: string })[]; segments: Segment[];
};
type Day = { day: string; from: number; to: number; seconds: number };
type Detection = { label: string; score: number; box: Box };
type LookedAt = { from: number; to: number; skipped?: string; frames: { time?: number; offset: number; detections: Detection[] }[] };
type ReportedCamera = {
  camera: string; state: string; lastFrame?: number; gaps: number; waitingObjects: number; lastError?: string;
};
type GatewayReport = {
  site: string; at: number; quarantinedObjects: number; gatewayClock: { synchronized: boolean; offsetUs?: number };
  spool: { objects: number; bytes: number; oldestAgeSeconds: number }; upload: { lastError?: string }; cameras: ReportedCamera[];
};
type Gateways = { gateways: { site: string; signature: string; report: GatewayReport }[]; now: number };
type ClipPlan = { from: number; to: number; sizeBytes: number; seconds: number; gapsSkipped: number; media: string };
type Export = {
  id: string; name: string; state: "planned" | "running" | "complete" | "failed"; createdAt: number; bytes: number;
  bytesWritten: number; durationMs: number; archive?: string; problem?: Problem;
  files: (Name & { name: string; from: number; to: number; bytes: number; durationMs: number; sha256?: string; url?: string })[];
};
type Hold = Name & { id: string; from: number; to: number; reason: string; createdAt: number; createdBy?: string };
type FunctionState = {
  name: string; state: "running" | "behind" | "failing"; waiting: number; parked: number; oldestWaitingMs?: number;
  lastError?: { time: number; message: string };
};
type Problem = { type?: string; title?: string; detail?: string; ranges?: Span[] };
/** A stretch of time, in milliseconds since 1970. */
type Span = { from: number; to: number };
