//! The token that clients must send.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{fchown, MetadataExt, OpenOptionsExt};
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::config::StartError;

const KEY: &str = "SUTRA_STORAGE_KEY";
const KEY_FILE: &str = "SUTRA_STORAGE_KEY_FILE";
const LEAST: usize = 16;
const MOST: usize = 512;
const RULE: &str = "not 16 to 512 letters, digits or -._~+/";

/// A secret: 16 to 512 characters of RFC 6750's `b64token`. No message ever shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads the token from its variable, or from the file that another variable names, where a
    /// line feed may follow it; `None` if neither is set.
    ///
    /// # Errors
    /// Both are set, the file cannot be read, or the value is not a token.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, StartError> {
        match (var(KEY), var(KEY_FILE)) {
            (None, None) => Ok(None),
            (Some(key), None) => {
                let key = key.to_str().unwrap_or_default();
                Self::new(key).map(Some).ok_or_else(|| refused(KEY, key))
            }
            (None, Some(file)) => Self::read(Path::new(&file)).map(Some),
            (Some(_), Some(_)) => Err(StartError::new(
                format!("{KEY_FILE}: set beside {KEY}"),
                "unset one of them",
            )),
        }
    }

    fn read(file: &Path) -> Result<Self, StartError> {
        let text = fs::read_to_string(file).map_err(|error| {
            let (error, tip) = why_unreadable(&error);
            StartError::new(format!("{KEY_FILE}: cannot read {file:?}: {error}"), tip)
        })?;
        let key = text.strip_suffix('\n').unwrap_or(&text);
        let key = key.strip_suffix('\r').unwrap_or(key);
        Self::new(key).ok_or_else(|| refused(&format!("{KEY_FILE}: {file:?}"), key))
    }

    fn new(key: &str) -> Option<Self> {
        let body = key.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let whole = (LEAST..=MOST).contains(&body.len()) && body.bytes().all(allowed);
        (whole && key.len() <= MOST + 2).then(|| Self(key.into()))
    }

    /// Returns whether `header` is `Bearer TOKEN` with this token. Takes the same time for every
    /// wrong token of its length.
    pub fn opens(&self, header: &[u8]) -> bool {
        let Some((scheme, token)) = header.split_at_checked("Bearer ".len()) else {
            return false;
        };
        let same: bool = token.ct_eq(self.0.as_bytes()).into();
        scheme.eq_ignore_ascii_case(b"Bearer ") && same
    }
}

/// Writes a new token to `file`, readable by its owner alone, and gives it to the owner of `data`.
/// A file that exists stays as it is.
///
/// # Errors
/// The file cannot be made; nothing of it is left.
pub fn make(file: &Path, data: &Path) -> Result<(), StartError> {
    let mut options = fs::OpenOptions::new();
    let result = match options.write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => Err(error),
        Ok(opened) => fill(opened, data).inspect_err(|_| {
            // A half-written file is not a token.
            let _ = fs::remove_file(file);
        }),
    };
    result.map_err(|error| {
        StartError::new(
            format!("key: cannot make {file:?}: {error}"),
            "name a file in a folder that may be written, by a user who may give it away",
        )
    })
}

fn fill(mut file: fs::File, data: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    for byte in random {
        write!(file, "{byte:02x}")?;
    }
    let owner = fs::metadata(data)?;
    fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    file.sync_all()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

fn why_unreadable(error: &io::Error) -> (String, &'static str) {
    match error.kind() {
        // The standard library's message would not tell what was expected.
        io::ErrorKind::InvalidData => ("not text".into(), "write the token into it"),
        io::ErrorKind::PermissionDenied => (
            error.to_string(),
            "let the server's user, 10001 in a container, read it",
        ),
        _ => (error.to_string(), "name the file that holds the token"),
    }
}

fn refused(what: &str, value: &str) -> StartError {
    StartError::new(
        format!(
            "{what}: {RULE} ({} characters, not shown)",
            value.chars().count()
        ),
        "set it to what `openssl rand -hex 32` prints",
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use temp_dir::TempDir;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn token(name: &'static str, value: &str) -> Result<Option<Token>, StartError> {
        let value = OsString::from(value);
        Token::from_env(|key| (key == name).then(|| value.clone()))
    }

    /// Makes a folder with a file of this text, and returns it and the file.
    fn file_with(text: &[u8]) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let file = folder.child("file");
        fs::write(&file, text).unwrap();
        (folder, file)
    }

    fn from_file(text: &[u8]) -> Result<Option<Token>, StartError> {
        let (_folder, file) = file_with(text);
        token(KEY_FILE, file.to_str().unwrap())
    }

    #[test]
    fn a_token_comes_from_the_environment_or_from_a_file() {
        let read = Ok(Some(Token(TOKEN.into())));
        assert_eq!(token("", ""), Ok(None));
        assert_eq!(token(KEY, TOKEN), read);
        for end in ["", "\n", "\r\n"] {
            assert_eq!(from_file(format!("{TOKEN}{end}").as_bytes()), read);
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_shown() {
        for value in [
            "",
            "0123456789abcde",
            "0123456789abcde ",
            "0123456789abcdeé",
            "=".repeat(20).as_str(),
        ] {
            assert_eq!(
                token(KEY, value).unwrap_err().to_string(),
                format!(
                    "SUTRA_STORAGE_KEY: not 16 to 512 letters, digits or -._~+/ \
                     ({} characters, not shown)\n\
                     tip: set it to what `openssl rand -hex 32` prints",
                    value.chars().count()
                )
            );
        }
        assert!(token(KEY, &"a".repeat(512)).is_ok());
        assert!(token(KEY, &"a".repeat(513)).is_err());
        assert_eq!(format!("{:?}", Token(TOKEN.into())), "Token(not shown)");
    }

    #[test]
    fn a_file_that_holds_none_is_refused_by_its_name() {
        for (text, problem, tip) in [
            (
                &b"short\n"[..],
                "RULE (5 characters, not shown)",
                "set it to what `openssl rand -hex 32` prints",
            ),
            (b"\xff\n", "not text", "write the token into it"),
        ] {
            let (_folder, file) = file_with(text);
            let error = token(KEY_FILE, file.to_str().unwrap()).unwrap_err();
            let problem = problem.replace("RULE", RULE);
            assert!(error.problem.ends_with(&problem), "{}", error.problem);
            assert!(error.problem.contains(&format!("{file:?}")));
            assert_eq!(error.tip, tip);
        }
        assert_eq!(
            token(KEY_FILE, "/nowhere/key").unwrap_err().to_string(),
            "SUTRA_STORAGE_KEY_FILE: cannot read \"/nowhere/key\": No such file or directory \
             (os error 2)\ntip: name the file that holds the token"
        );
    }

    #[test]
    fn a_new_file_has_a_token_for_its_owner_alone_and_stays() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("key");
        make(&file, folder.path()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.len(), 64);
        assert_eq!(from_file(text.as_bytes()), Ok(Some(Token(text.clone()))));
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
        make(&file, folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        let other = folder.path().join("other");
        make(&other, folder.path()).unwrap();
        assert_ne!(fs::read_to_string(&other).unwrap(), text);
    }

    #[test]
    fn a_file_that_cannot_be_made_leaves_nothing() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("key");
        assert_eq!(
            make(&file, &folder.path().join("nowhere"))
                .unwrap_err()
                .to_string(),
            format!(
                "key: cannot make {file:?}: No such file or directory (os error 2)\n\
                 tip: name a file in a folder that may be written, by a user who may give it away"
            )
        );
        assert!(!file.exists());
    }

    #[test]
    fn both_at_once_are_refused() {
        let error = Token::from_env(|_| Some(TOKEN.into())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "SUTRA_STORAGE_KEY_FILE: set beside SUTRA_STORAGE_KEY\ntip: unset one of them"
        );
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token(TOKEN.into());
        let opens = |header: &str| token.opens(header.as_bytes());
        assert!(opens("Bearer 0123456789abcdef"));
        assert!(opens("bearer 0123456789abcdef"));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            TOKEN,
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdeF",
            "Bearer  0123456789abcdef",
        ] {
            assert!(!opens(header), "{header}");
        }
    }
}
