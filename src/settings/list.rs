//! The settings of `list`.

use super::{Result, Settings, local_time, refuse_sampling, top};
use crate::cli::{ListOptions, SortName};
use crate::error::UsageError;
use crate::model::time::Moment;
use crate::values::moment;
use std::path::PathBuf;

/// The settings that commands share, what is listed, and the order of the rows.
#[derive(Debug)]
pub struct ListSettings {
    /// The settings that commands share.
    pub(crate) settings: Settings,
    /// The recording to list; `None` for the kernel's sockets.
    pub(crate) recording: Option<ListedRecording>,
    /// What rows are sorted by; `None` for ports in text and the order of the kernel's tables elsewhere.
    pub(crate) sort: Option<SortName>,
    /// How many rows are printed at most.
    pub(crate) top: Option<usize>,
}

/// A recording that `list` shows.
#[derive(Debug)]
pub(crate) struct ListedRecording {
    pub(crate) file: PathBuf,
    /// `None` for its end.
    pub(crate) at: Option<Moment>,
}

impl ListSettings {
    /// Checks the options of `list`.
    pub fn new(options: ListOptions) -> Result<Self> {
        let (recording, sort) = (listed(&options)?, options.sort);
        let top = options.top.as_deref().map(top).transpose()?;
        Ok(Self { settings: Settings::new(options)?.of_list()?, recording, sort, top })
    }
}

/// The recording that `list` shows, and the moment; `None` for the kernel's sockets.
fn listed(options: &ListOptions) -> Result<Option<ListedRecording>> {
    let Some(file) = &options.from else {
        let needs = "--from FILE";
        return match options.at {
            Some(_) => Err(UsageError::NoEffect { flag: "--at", needs }),
            None => Ok(None),
        };
    };
    refuse_sampling(&options.sampling_flags)?;
    let moment =
        options.at.as_deref().map(|text| moment(text, &local_time::zone(false))).transpose();
    let at = moment.map_err(|cause| UsageError::value("--at", cause))?;
    Ok(Some(ListedRecording { file: file.clone(), at }))
}
