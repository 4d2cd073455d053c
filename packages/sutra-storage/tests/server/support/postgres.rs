//! Runs the same tests on a database: `SUTRA_TEST_POSTGRES` is the URL of a PostgreSQL server,
//! without a database's name, whose user may create databases (`make test-postgres`).

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const SERVER: &str = "SUTRA_TEST_POSTGRES";

/// Returns the environment of a server whose database stands in for the data folder `data`.
pub fn variables(data: &Path) -> Vec<(&'static str, PathBuf)> {
    let Ok(server) = env::var(SERVER) else {
        return Vec::new();
    };
    vec![
        ("SUTRA_STORAGE_BACKEND", "postgres".into()),
        ("SUTRA_STORAGE_POSTGRES_URL_FILE", url_file(&server, data)),
    ]
}

/// Makes the database of a folder if it is missing, and a file with its URL.
pub fn url_file(server: &str, data: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (data, std::process::id()).hash(&mut hasher);
    let name = format!("sutra_{:016x}", hasher.finish());
    let file = env::temp_dir().join(format!("{name}-url"));
    let mut options = fs::OpenOptions::new();
    if let Ok(mut url) = options.write(true).create_new(true).mode(0o600).open(&file) {
        writeln!(url, "{server}/{name}").unwrap();
        sql(
            &format!("{server}/postgres"),
            &format!("CREATE DATABASE {name}"),
        );
    }
    file
}

/// Runs a statement, and returns the selected rows.
pub fn sql(url: &str, statement: &str) -> String {
    let psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url])
        .args(["--command", statement])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(psql.status.success(), "{statement}");
    String::from_utf8(psql.stdout).unwrap().trim().to_owned()
}
