//! Reads the command line and the environment.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::memory::Room;
use crate::token::Token;

const ADDR: &str = "SUTRA_STORAGE_ADDR";
const DATA: &str = "SUTRA_STORAGE_DATA";
const CONCURRENCY: &str = "SUTRA_STORAGE_CONCURRENCY";
const TIMEOUT: &str = "SUTRA_STORAGE_TIMEOUT";
const DRAIN: &str = "SUTRA_DRAIN_SECONDS";
const LOG: &str = "SUTRA_LOG";
const BACKEND: &str = "SUTRA_STORAGE_BACKEND";
pub const POSTGRES_URL_FILE: &str = "SUTRA_STORAGE_POSTGRES_URL_FILE";

/// The text that `--help` prints.
pub const HELP: &str = "\
storage_server_simple: a small durable knowledge store over HTTP and JSON

usage: storage_server_simple [COMMAND]

  (none)         serve until SIGTERM or SIGINT
  restore FILE   make a snapshot (GET /snapshot) the data of an empty folder
  key FILE       make a file of mode 600 with a new token, unless it is there; it belongs to
                 whom the data folder does
  migrate        copy the log in the data folder into the database of
                 SUTRA_STORAGE_POSTGRES_URL_FILE; run again, it goes on where it was ended
  healthcheck    ask the running server for /health; exit 0 if it is well, else 1
  --version      print the version
  --help         print this text

environment:
  SUTRA_STORAGE_ADDR         IP address and port to listen on  [0.0.0.0:50051]
  SUTRA_STORAGE_DATA         data folder, created if missing   [/var/lib/sutra]
  SUTRA_STORAGE_CONCURRENCY  requests at once, 1 to 10000; more are answered 503  [256]
  SUTRA_STORAGE_TIMEOUT      seconds for a request, 1 to 3600; then it is answered 503  [10]
  SUTRA_STORAGE_MEMORY       memory limit, 96m or more; new entries are refused before it is reached
                             [what the container or the machine has]
  SUTRA_STORAGE_KEY          the token that clients must show; without one everybody may
  SUTRA_STORAGE_KEY_FILE     a file that holds it
  SUTRA_STORAGE_BACKEND      log, or postgres (the image sutra-storage-postgres)  [log]
  SUTRA_STORAGE_POSTGRES_URL_FILE  a file for its owner alone with postgres://USER:PASSWORD@HOST/NAME
  SUTRA_DRAIN_SECONDS        seconds to serve on after a stop signal with /health at 503,
                             0 to 300  [0]
  SUTRA_LOG                  off, error, warn, info, debug or trace  [info]

eg: SUTRA_STORAGE_ADDR=127.0.0.1:50051 SUTRA_STORAGE_DATA=./data storage_server_simple
";

/// The command that the command line names.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Serve,
    /// Restores from this file.
    Restore(PathBuf),
    /// Writes a new key into this file.
    Key(PathBuf),
    Migrate,
    Healthcheck,
    Version,
    Help,
}

/// The place where data is stored.
#[derive(Debug, PartialEq, Eq)]
pub enum Where {
    Log,
    /// A database whose URL is in this file.
    #[cfg(feature = "postgres")]
    Postgres(PathBuf),
}

/// The server's settings, read once at start.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// The address to listen on; port 0 takes a free one.
    pub addr: SocketAddr,
    pub backend: Where,
    /// The folder that holds `store.log`.
    pub data: PathBuf,
    /// The number of requests at once.
    pub concurrency: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// How much memory each part may take.
    pub room: Room,
    /// The token that clients must send; without one everybody may read and write.
    pub token: Option<Token>,
    /// How long to keep serving after a stop signal.
    pub drain: Duration,
    pub log: LevelFilter,
}

/// The reason why the server cannot start: one line, then a tip for whoever started it.
#[derive(Debug, PartialEq, Eq)]
pub struct StartError {
    pub problem: String,
    pub tip: String,
}

impl StartError {
    pub fn new(problem: impl Into<String>, tip: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            tip: tip.into(),
        }
    }

    pub fn cannot_listen(addr: SocketAddr, error: &io::Error) -> Self {
        Self::new(
            format!("{ADDR}: cannot listen on \"{addr}\": {error}"),
            "choose a free port and an address of this machine, eg 0.0.0.0:50051",
        )
    }

    /// Reports a data folder that cannot be used; `problem` tells why.
    pub fn data(problem: impl fmt::Display, tip: &str) -> Self {
        Self::new(format!("{DATA}: {problem}"), tip)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\ntip: {}", self.problem, self.tip)
    }
}

impl Config {
    /// Reads the settings through `var`, which is `std::env::var_os` outside tests.
    ///
    /// # Errors
    /// Returns the error of the first variable with a wrong value.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, StartError> {
        Ok(Self {
            addr: addr(&var)?,
            backend: backend(&var)?,
            data: data(&var)?,
            concurrency: number(&var, CONCURRENCY, 256, 1..=10_000)? as usize,
            timeout: Duration::from_secs(number(&var, TIMEOUT, 10, 1..=3600)?),
            room: Room::from_env(&var)?,
            token: Token::from_env(&var)?,
            drain: Duration::from_secs(number(&var, DRAIN, 0, 0..=300)?),
            log: log(&var)?,
        })
    }
}

/// Reads the command line without the program's name.
///
/// # Errors
/// There is more than one argument, or one that is not in [`HELP`].
pub fn command(args: impl IntoIterator<Item = OsString>) -> Result<Command, StartError> {
    let mut args = args.into_iter();
    let command = match args.next() {
        None => return Ok(Command::Serve),
        Some(arg) if arg == "restore" => Command::Restore(file(
            args.next(),
            "storage_server_simple: restore: no file",
            "storage_server_simple restore FILE, a file that GET /snapshot returned",
        )?),
        Some(arg) if arg == "key" => Command::Key(file(
            args.next(),
            "storage_server_simple: key: no file",
            "storage_server_simple key FILE, which the services then read",
        )?),
        Some(arg) => named_command(&arg)?,
    };
    match args.next() {
        None => Ok(command),
        Some(extra) => Err(unknown_argument(&extra)),
    }
}

fn file(arg: Option<OsString>, problem: &str, tip: &str) -> Result<PathBuf, StartError> {
    arg.filter(|arg| !arg.is_empty())
        .map(PathBuf::from)
        .ok_or_else(|| StartError::new(problem, tip))
}

fn named_command(arg: &OsStr) -> Result<Command, StartError> {
    match arg.to_str() {
        Some("migrate") => Ok(Command::Migrate),
        Some("healthcheck") => Ok(Command::Healthcheck),
        Some("--version" | "-V") => Ok(Command::Version),
        Some("--help" | "-h") => Ok(Command::Help),
        _ => Err(unknown_argument(arg)),
    }
}

fn unknown_argument(arg: &OsStr) -> StartError {
    StartError::new(
        format!("storage_server_simple: unknown argument {arg:?}"),
        "storage_server_simple --help lists what it takes",
    )
}

/// Reads the address to listen on. A host name is refused: a static binary has no resolver.
///
/// # Errors
/// The value is not an IP address with a port.
pub fn addr(var: impl Fn(&str) -> Option<OsString>) -> Result<SocketAddr, StartError> {
    let value = var(ADDR).unwrap_or_else(|| "0.0.0.0:50051".into());
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            StartError::new(
                format!("{ADDR}: not a socket address {value:?}"),
                "write an IP address and a port, eg 0.0.0.0:50051 or [::1]:50051",
            )
        })
}

/// Reads the data folder.
///
/// # Errors
/// The value is empty.
pub fn data(var: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StartError> {
    let value = var(DATA).unwrap_or_else(|| "/var/lib/sutra".into());
    if value.is_empty() {
        return Err(StartError::data(
            "not a folder \"\"",
            "name a folder, or unset it for /var/lib/sutra",
        ));
    }
    Ok(value.into())
}

fn backend(var: impl Fn(&str) -> Option<OsString>) -> Result<Where, StartError> {
    let value = var(BACKEND).unwrap_or_else(|| "log".into());
    match value.to_str() {
        Some("log") => Ok(Where::Log),
        #[cfg(feature = "postgres")]
        Some("postgres") => url_file(var).map(Where::Postgres),
        #[cfg(not(feature = "postgres"))]
        Some("postgres") => Err(StartError::new(
            format!("{BACKEND}: this program was built without {value:?}"),
            "run the image sutra-storage-postgres, or build with --features postgres",
        )),
        _ => Err(StartError::new(
            format!("{BACKEND}: not a backend {value:?}"),
            "choose log or postgres",
        )),
    }
}

/// Reads the name of the file with the database's URL.
///
/// # Errors
/// The variable is not set.
pub fn url_file(var: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StartError> {
    let file = var(POSTGRES_URL_FILE).filter(|file| !file.is_empty());
    file.map(PathBuf::from).ok_or_else(|| {
        StartError::new(
            format!("{POSTGRES_URL_FILE}: not set"),
            "name a file with postgres://USER:PASSWORD@HOST/NAME, readable by its owner alone",
        )
    })
}

fn number(
    var: impl Fn(&str) -> Option<OsString>,
    name: &str,
    default: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, StartError> {
    let Some(value) = var(name) else {
        return Ok(default);
    };
    let number = value.to_str().and_then(|text| text.parse().ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            StartError::new(
                format!(
                    "{name}: not a number from {} to {} {value:?}",
                    range.start(),
                    range.end()
                ),
                format!("write one, or unset it for {default}"),
            )
        })
}

fn log(var: impl Fn(&str) -> Option<OsString>) -> Result<LevelFilter, StartError> {
    let value = var(LOG).unwrap_or_else(|| "info".into());
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            StartError::new(
                format!("{LOG}: not a log level {value:?}"),
                "choose off, error, warn, info, debug or trace",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MEMORY;

    fn config(name: &'static str, value: &'static str) -> Result<Config, StartError> {
        Config::from_env(|key| (key == name).then(|| value.into()))
    }

    fn command_of(args: &[&str]) -> Result<Command, StartError> {
        command(args.iter().map(OsString::from))
    }

    #[test]
    fn defaults_suit_a_container() {
        let expected = Config {
            addr: SocketAddr::from(([0, 0, 0, 0], 50051)),
            backend: Where::Log,
            data: "/var/lib/sutra".into(),
            concurrency: 256,
            timeout: Duration::from_secs(10),
            room: Room::from_env(|_| None).unwrap(),
            token: None,
            drain: Duration::ZERO,
            log: LevelFilter::INFO,
        };
        assert_eq!(config("", ""), Ok(expected));
    }

    #[test]
    fn every_variable_is_read() {
        assert_eq!(config(ADDR, "[::1]:7").unwrap().addr.to_string(), "[::1]:7");
        assert_eq!(config(DATA, "here").unwrap().data, PathBuf::from("here"));
        assert_eq!(config(LOG, "debug").unwrap().log, LevelFilter::DEBUG);
        assert_eq!(config(CONCURRENCY, "1").unwrap().concurrency, 1);
        assert_eq!(config(CONCURRENCY, "10000").unwrap().concurrency, 10_000);
        assert_eq!(config(DRAIN, "5").unwrap().drain, Duration::from_secs(5));
        assert_eq!(config(MEMORY, "1g").unwrap().room.total, 1 << 30);
        assert!(config("SUTRA_STORAGE_KEY", "0123456789abcdef")
            .unwrap()
            .token
            .is_some());
        let hour = Duration::from_secs(3600);
        assert_eq!(config(TIMEOUT, "3600").unwrap().timeout, hour);
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        for value in ["0", "10001", "-1", "many", ""] {
            assert_eq!(
                config(CONCURRENCY, value).unwrap_err().to_string(),
                format!(
                    "SUTRA_STORAGE_CONCURRENCY: not a number from 1 to 10000 {value:?}\n\
                     tip: write one, or unset it for 256"
                )
            );
        }
        assert_eq!(
            config(TIMEOUT, "3601").unwrap_err().to_string(),
            "SUTRA_STORAGE_TIMEOUT: not a number from 1 to 3600 \"3601\"\n\
             tip: write one, or unset it for 10"
        );
    }

    #[test]
    fn a_host_name_is_not_an_address() {
        assert_eq!(
            config(ADDR, "localhost:50051").unwrap_err().to_string(),
            "SUTRA_STORAGE_ADDR: not a socket address \"localhost:50051\"\n\
             tip: write an IP address and a port, eg 0.0.0.0:50051 or [::1]:50051"
        );
    }

    #[test]
    fn an_empty_data_folder_is_refused() {
        assert_eq!(
            config(DATA, "").unwrap_err().to_string(),
            "SUTRA_STORAGE_DATA: not a folder \"\"\n\
             tip: name a folder, or unset it for /var/lib/sutra"
        );
    }

    #[test]
    fn an_unknown_backend_is_refused() {
        assert_eq!(
            config(BACKEND, "mysql").unwrap_err().to_string(),
            "SUTRA_STORAGE_BACKEND: not a backend \"mysql\"\n\
             tip: choose log or postgres"
        );
    }

    #[test]
    #[cfg(not(feature = "postgres"))]
    fn a_backend_that_was_not_built_is_refused() {
        assert_eq!(
            config(BACKEND, "postgres").unwrap_err().to_string(),
            "SUTRA_STORAGE_BACKEND: this program was built without \"postgres\"\n\
             tip: run the image sutra-storage-postgres, or build with --features postgres"
        );
    }

    #[test]
    #[cfg(feature = "postgres")]
    fn a_database_needs_a_file_with_its_url() {
        assert_eq!(
            config(BACKEND, "postgres").unwrap_err().to_string(),
            "SUTRA_STORAGE_POSTGRES_URL_FILE: not set\n\
             tip: name a file with postgres://USER:PASSWORD@HOST/NAME, readable by its owner alone"
        );
    }

    #[test]
    fn an_unknown_log_level_is_refused() {
        assert_eq!(
            config(LOG, "loud").unwrap_err().to_string(),
            "SUTRA_LOG: not a log level \"loud\"\n\
             tip: choose off, error, warn, info, debug or trace"
        );
    }

    #[test]
    fn commands_have_names() {
        assert_eq!(command_of(&[]), Ok(Command::Serve));
        assert_eq!(command_of(&["healthcheck"]), Ok(Command::Healthcheck));
        assert_eq!(command_of(&["--version"]), Ok(Command::Version));
        assert_eq!(command_of(&["-h"]), Ok(Command::Help));
        assert_eq!(command_of(&["migrate"]), Ok(Command::Migrate));
        let restore = Command::Restore("a".into());
        assert_eq!(command_of(&["restore", "a"]), Ok(restore));
        assert_eq!(command_of(&["key", "a"]), Ok(Command::Key("a".into())));
    }

    #[test]
    fn a_restore_without_a_file_is_refused() {
        for args in [&["restore"][..], &["restore", ""]] {
            assert_eq!(
                command_of(args).unwrap_err().to_string(),
                "storage_server_simple: restore: no file\n\
                 tip: storage_server_simple restore FILE, a file that GET /snapshot returned"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for args in [&["serve"][..], &["--help", "serve"]] {
            assert_eq!(
                command_of(args).unwrap_err().to_string(),
                "storage_server_simple: unknown argument \"serve\"\n\
                 tip: storage_server_simple --help lists what it takes"
            );
        }
    }
}
