//! Files that are embedded in the program.

use std::fmt;

/// A file that is embedded in the program.
#[derive(Clone, Copy)]
pub struct File {
    name: &'static str,
    content: &'static str,
    hash: u64,
}

impl File {
    /// Creates a file from its name, without a folder, and its content:
    /// `File::new("client.js", include_str!("client.js"))`.
    #[must_use]
    pub const fn new(name: &'static str, content: &'static str) -> Self {
        Self {
            name,
            content,
            hash: fnv1a(content.as_bytes()),
        }
    }

    /// Returns the name of the file.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the content of the file.
    #[must_use]
    pub const fn content(&self) -> &'static str {
        self.content
    }

    /// Returns the media type by the extension of the name; `text/plain` for unknown extensions.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "svg" => "image/svg+xml",
            // Includes `.d.ts`: no media type for TypeScript was ever registered, and servers guess
            // `video/mp2t`.
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Returns the strong entity tag (RFC 9110, section 8.8.3), quotes included: different content
    /// has a different tag.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{:016x}\"", self.hash)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("name", &self.name)
            .field("bytes", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// A folder of files that are embedded in the program.
///
/// ```
/// use sse_browser::{File, StaticFiles};
///
/// const FILES: StaticFiles = StaticFiles::new(&[File::new("app.js", "export {};")]);
///
/// let file = FILES.find("app.js").unwrap();
/// assert_eq!(file.content_type(), "text/javascript; charset=utf-8");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StaticFiles(&'static [File]);

impl StaticFiles {
    /// Creates a folder from a list of files.
    #[must_use]
    pub const fn new(files: &'static [File]) -> Self {
        Self(files)
    }

    /// Returns the file with a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static File> {
        self.0.iter().find(|file| file.name == name)
    }

    /// Returns all files.
    pub fn iter(&self) -> impl Iterator<Item = &'static File> {
        self.0.iter()
    }
}

/// Computes 64-bit FNV-1a at compile time. The hash distinguishes builds and needs no resistance to
/// attacks.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut place = 0;
    while place < bytes.len() {
        hash = (hash ^ bytes[place] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        place += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vectors of the Internet draft on FNV.
    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
