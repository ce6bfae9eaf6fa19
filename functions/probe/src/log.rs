//! A record as one structured log event: the record's field names, those of inner objects after a dot.

use framepost_events::record::{ChunkProbed, Data, Integrity, Record};
use jiff::Timestamp;
use serde::Serialize;

pub(crate) fn record(record: &Record) {
    let Record { id, event_type, subject, .. } = record;
    match &record.data {
        Data::ChunkProbed(data) => chunk(record, data),
        Data::SpanEnded(data) => tracing::info!(
            id,
            once_id = id,
            "type" = event_type,
            subject,
            site = data.site.as_ref().map(tracing::field::display),
            camera = data.camera.as_ref().map(tracing::field::display),
            end = %data.end,
            chunks = data.chunks,
            integrity.signature = word(data.integrity.signature),
            integrity.chain.state = word(data.integrity.chain.state),
            "span ended"
        ),
        Data::GapRecorded(data) => tracing::info!(
            id,
            once_id = id,
            "type" = event_type,
            subject,
            site = %data.gap.site,
            camera = %data.gap.camera,
            from = %data.gap.from,
            to = %data.gap.to,
            cause = word(data.gap.cause),
            detail = data.gap.detail,
            sourceBytes.start = data.gap.source_bytes.map(|bytes| bytes.start),
            sourceBytes.end = data.gap.source_bytes.map(|bytes| bytes.end),
            "gap recorded"
        ),
        Data::ObjectRejected(data) => tracing::warn!(
            id,
            once_id = id,
            "type" = event_type,
            subject,
            site = data.site.as_ref().map(tracing::field::display),
            camera = data.camera.as_ref().map(tracing::field::display),
            reason = word(data.reason),
            detail = data.detail,
            sizeBytes = data.size_bytes,
            object.bucket = data.object.bucket,
            object.version = data.object.version,
            "object rejected"
        ),
    }
}

fn chunk(record: &Record, data: &ChunkProbed) {
    let Record { id, event_type, subject, .. } = record;
    let ChunkProbed { duration, resolution, integrity, .. } = data;
    let Integrity { sha256, signature, chain, .. } = integrity;
    let time = |time: Option<Timestamp>| time.map(tracing::field::display);
    tracing::info!(
        id,
        once_id = id,
        "type" = event_type,
        subject,
        site = data.site.as_ref().map(tracing::field::display),
        camera = data.camera.as_ref().map(tracing::field::display),
        duration.from = time(duration.from),
        duration.to = time(duration.to),
        duration.seconds = duration.seconds,
        resolution.width = resolution.width,
        resolution.height = resolution.height,
        resolution.channels = resolution.channels,
        resolution.rotation = resolution.rotation,
        resolution.mirrored = resolution.mirrored,
        mediaLink = data.media_link,
        codec = data.codec,
        frameRate = data.frame_rate,
        audio.codec = data.audio.as_ref().map(|audio| audio.codec.as_str()),
        container = word(data.container),
        sizeBytes = data.size_bytes,
        object.bucket = data.object.bucket,
        object.version = data.object.version,
        startsWithRandomAccess = data.starts_with_random_access,
        clock = data.clock.map(tracing::field::display),
        integrity.sha256 = sha256.map(tracing::field::display),
        integrity.content = integrity.content.map(word),
        integrity.signature = word(signature),
        integrity.chain.state = word(chain.state),
        "chunk probed"
    );
}

/// A unit variant in the word that the record has for it.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::record::RejectReason;

    #[test]
    fn the_words_are_the_records() {
        assert_eq!(word(RejectReason::NotMedia), "not-media");
    }
}
