//! X-Ray's trace header: `Root=1-…;Parent=…;Sampled=1`.

/// Returns the trace id of an X-Ray header, which joins log lines. Returns the whole header if
/// it has no `Root`.
pub fn root(header: &str) -> &str {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or(header)
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn the_root_is_found_wherever_it_stands() {
        for header in ["Root=1-5759e988-bd86;Parent=53;Sampled=1", "Parent=53; Root=1-5759e988-bd86", "1-5759e988-bd86"]
        {
            assert_eq!(root(header), "1-5759e988-bd86");
        }
    }
}
