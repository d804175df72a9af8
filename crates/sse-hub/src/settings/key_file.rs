//! Files of secrets and keys, which decide who can connect.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{error::Error, settings::source::Sources};

/// Maximum size of a file with keys. A JWKS of several hundred keys is far smaller.
const MAX_BYTES: u64 = 1024 * 1024;

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A secret, which nobody else should read.
    Secret,
    /// A public key, which everybody can read. The key still decides who can connect.
    PublicKey,
}

/// Reads a file with keys.
///
/// A file that everybody can write is rejected, since every writer decides who can connect. A file
/// that belongs to another user is only noted, and so is a secret that everybody can read:
/// Kubernetes mounts secrets with these permissions unless `defaultMode` is set.
pub(crate) fn read(
    path: &Path,
    holds: Holds,
    sources: &Sources,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let wrong = |problem: String| Error::Setting {
        name: path.display().to_string(),
        problem,
    };
    let unreadable = |error: io::Error| wrong(format!("cannot be read: {error}"));
    // The permissions are those of the open file, after symbolic links. A check of the path could
    // see another file.
    let file = File::open(path).map_err(unreadable)?;
    match permissions(&file).map_err(unreadable)? {
        Permissions::Writable => {
            return Err(wrong(
                "can be written by everybody, so that everybody could grant access; run chmod o-w"
                    .to_owned(),
            ));
        }
        Permissions::Readable if holds == Holds::Secret => {
            sources.note(format!(
                "{} can be read by everybody on this machine; run chmod o-r, or set defaultMode: 0400 in Kubernetes",
                path.display()
            ));
        }
        Permissions::Foreign => {
            sources.note(format!(
                "{} belongs to another user, who can change it; run chown",
                path.display()
            ));
        }
        Permissions::Readable | Permissions::Own => {}
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 {
        length if length > MAX_BYTES => Err(wrong(format!(
            "is larger than {MAX_BYTES} bytes, the maximum for a file of keys"
        ))),
        _ => Ok(bytes),
    }
}

/// Notes a settings file that everybody can write, since every writer decides who can connect.
pub(crate) fn note_writable(path: &Path, sources: &Sources) {
    if File::open(path)
        .and_then(|file| permissions(&file))
        .is_ok_and(|found| found == Permissions::Writable)
    {
        sources.note(format!(
            "{} can be written by everybody, so that everybody could grant access; run chmod o-w",
            path.display()
        ));
    }
}

/// The greatest permission that others have on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(unix),
    expect(dead_code, reason = "elsewhere permissions are not checked")
)]
enum Permissions {
    Writable,
    Foreign,
    Readable,
    Own,
}

#[cfg(unix)]
fn permissions(file: &File) -> io::Result<Permissions> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    // The permissions of a pipe, as of a shell's `<(…)`, have no meaning.
    if !metadata.is_file() {
        return Ok(Permissions::Own);
    }
    let own = [0, rustix::process::geteuid().as_raw()];
    Ok(match metadata.mode() {
        mode if mode & 0o002 != 0 => Permissions::Writable,
        _ if !own.contains(&metadata.uid()) => Permissions::Foreign,
        mode if mode & 0o004 != 0 => Permissions::Readable,
        _ => Permissions::Own,
    })
}

#[cfg(not(unix))]
fn permissions(_: &File) -> io::Result<Permissions> {
    Ok(Permissions::Own)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn permissions_of_others_are_checked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "a secret").unwrap();
        let link = file.path().with_extension("link");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        for (mode, secret, public) in [
            (0o400, "", ""),
            (0o600, "", ""),
            (0o640, "", ""),
            (0o660, "", ""),
            (0o644, "read by everybody", ""),
            (0o444, "read by everybody", ""),
            (0o666, "written by everybody", "written by everybody"),
            (0o602, "written by everybody", "written by everybody"),
            (0o777, "written by everybody", "written by everybody"),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            for path in [file.path(), &link] {
                for (holds, said) in [(Holds::Secret, secret), (Holds::PublicKey, public)] {
                    let sources = Sources::default();
                    let read = read(path, holds, &sources);
                    let error = read.as_ref().err().map(ToString::to_string);
                    let text = error
                        .into_iter()
                        .chain(sources.take_notes())
                        .collect::<String>();
                    assert_eq!(
                        (text.is_empty(), text.contains(said)),
                        (said.is_empty(), true),
                        "{mode:o}: {text}"
                    );
                    assert_eq!(read.is_err(), said.contains("written"), "{mode:o}");
                }
            }
        }
        fs::remove_file(link).unwrap();
    }

    #[test]
    fn invalid_files_of_keys_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        fs::write(&large, vec![b'x'; 2 << 20]).unwrap();
        for path in [folder.path(), &folder.path().join("none"), &large] {
            let error = read(path, Holds::Secret, &Sources::default())
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        }
    }
}
