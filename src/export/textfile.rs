//! Metrics in a file, for the textfile collector of node_exporter: no port is opened.

use super::exposition::{Exposition, TextFormat};
use crate::error::{Error, Result};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So often the file is written at most.
const RENEWED_EVERY: Duration = Duration::from_secs(5);

/// A file that is replaced as a whole: a reader never sees a part of it.
#[derive(Debug)]
pub(crate) struct TextFile {
    path: PathBuf,
    /// Where the next content is written; no collector reads such a name.
    temporary: PathBuf,
    written: Option<Instant>,
}

impl TextFile {
    /// A file that is not written yet.
    pub(crate) fn new(path: &Path) -> Self {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        Self { path: path.to_owned(), temporary: temporary.into(), written: None }
    }

    /// Whether it is time to write it again.
    pub(crate) fn is_due(&self) -> bool {
        self.written.is_none_or(|written| written.elapsed() >= RENEWED_EVERY)
    }

    /// Replaces its content.
    ///
    /// # Errors
    /// The file cannot be written; it is as it was.
    pub(crate) fn write(&mut self, exposition: &Exposition) -> Result<()> {
        self.written = Some(Instant::now());
        self.replace(&exposition.text(TextFormat::Prometheus)).map_err(|cause| {
            let _ = fs::remove_file(&self.temporary);
            Error::write(&self.path, cause)
        })
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        match fs::remove_file(&self.temporary) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        // A new file: no link that others have put there is followed.
        let mut file = OpenOptions::new().write(true).create_new(true).open(&self.temporary)?;
        file.write_all(text)?;
        drop(file);
        fs::rename(&self.temporary, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::exposition::{MetricFamily, Series};
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_and_no_link_is_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, precious) = (folder.path().join("a.prom"), folder.path().join("precious"));
        fs::write(&precious, "precious").expect("it can be written");
        let mut file = TextFile::new(&path);
        symlink(&precious, &path).expect("a link");
        symlink(&precious, &file.temporary).expect("a link");
        assert!(file.is_due());
        for _ in 0..2 {
            let series = Series::Gauge(vec![(Vec::new(), 1.0)]);
            let families = vec![MetricFamily { name: "a", help: "A.", series }];
            file.write(&Exposition::new(families)).expect("it can be written");
            let text = fs::read_to_string(&path).expect("it is there");
            assert_eq!(text, "# HELP a A.\n# TYPE a gauge\na 1.0\n");
        }
        assert!(!file.is_due());
        assert_eq!(fs::read_to_string(&precious).expect("it is there"), "precious");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }
}
