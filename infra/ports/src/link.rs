//! Object keys in URLs.

/// Encodes `key` as the path of a URL: `%XX` for every byte except RFC 3986's unreserved characters and `/`.
///
/// This is S3's `UriEncode` without the encoding of slashes, so the result can also be used for signing.
pub fn url_path(key: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(char::from(HEX[usize::from(byte >> 4)]));
            path.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::url_path;

    #[test]
    fn only_unreserved_bytes_stay() {
        for (key, path) in [
            ("plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4", "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4"),
            ("a b+c%d", "a%20b%2Bc%25d"),
            ("ä?#", "%C3%A4%3F%23"),
        ] {
            assert_eq!(url_path(key), path);
        }
    }
}
