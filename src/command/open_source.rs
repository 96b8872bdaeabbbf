//! Opens the source that the settings name, or the best one.

use super::netns;
use crate::error::Result;
use crate::model::reading::Interface;
use crate::output::messages;
use crate::settings::{OWN_PROCFS, Settings};
use crate::source::{self, Source};
use std::path::Path;

/// Why tables are read where `--procfs` names others than the kernel's own.
const NO_OTHER_SOURCE: &str = "no other source reads another procfs";

/// Opens the source for polls one after the other.
///
/// # Errors
/// What the named source lacks; with `auto`, what the last choice lacks.
pub(super) fn open(settings: &Settings) -> Result<Box<dyn Source>> {
    if !settings.netns.is_empty() {
        return several(settings);
    }
    match settings.source.interface() {
        Some(interface) => source::open(interface, settings),
        None if settings.is_one_look() => open_for_one_poll(settings),
        None => best(settings),
    }
}

/// Opens the source for a single poll, for which kernel events are of no use.
///
/// # Errors
/// What the source lacks.
pub(super) fn open_for_one_poll(settings: &Settings) -> Result<Box<dyn Source>> {
    if !settings.netns.is_empty() {
        return several(settings);
    }
    match settings.source.interface() {
        Some(interface) => source::open(interface.traits().polled, settings),
        None => first(&polled(settings), |choice| source::open(choice, settings), |_, _| ()),
    }
}

fn best(settings: &Settings) -> Result<Box<dyn Source>> {
    let choices = choices(settings);
    if let ([choice], true) = (&*choices, is_other_procfs(settings)) {
        let name = choice.name();
        messages::print([format!("using --source {name}: {NO_OTHER_SOURCE}")]);
        return source::open(*choice, settings);
    }
    first(
        &choices,
        |choice| source::open(choice, settings),
        |choice, lacks| {
            let colon = if lacks.is_empty() { "" } else { ": " };
            messages::print([format!(
                "using --source {}{colon}{}",
                choice.name(),
                lacks.join("; ")
            )]);
        },
    )
}

/// Opens the source for several network namespaces.
fn several(settings: &Settings) -> Result<Box<dyn Source>> {
    let namespaces = netns::resolved(settings)?;
    let open = |interface| source::open_several(interface, settings, &namespaces);
    match settings.source.interface() {
        Some(interface) => open(interface),
        None => first(&polled(settings), open, |choice, lacks| {
            let why = match lacks {
                [] if is_other_procfs(settings) => NO_OTHER_SOURCE.to_owned(),
                [] => "--netns is given".to_owned(),
                lacks => lacks.join("; "),
            };
            messages::print([format!("using --source {}: {why}", choice.name())]);
        }),
    }
}

/// What `auto` may choose, the best first.
fn choices(settings: &Settings) -> Vec<Interface> {
    let other_procfs = is_other_procfs(settings);
    let fits = |choice: &Interface| {
        let traits = choice.traits();
        traits.is_built_in && (traits.reads_procfs || !other_procfs)
    };
    Interface::BEST_FIRST.into_iter().filter(fits).collect()
}

/// Those of them that only poll.
fn polled(settings: &Settings) -> Vec<Interface> {
    let mut choices = choices(settings);
    choices.retain(|choice| choice.traits().polled == *choice);
    choices
}

fn is_other_procfs(settings: &Settings) -> bool {
    settings.procfs != Path::new(OWN_PROCFS)
}

/// Opens the first source that can be opened. `chosen` gets it with what the better ones lack.
///
/// # Errors
/// What the last one lacks.
fn first(
    choices: &[Interface],
    open: impl Fn(Interface) -> Result<Box<dyn Source>>,
    chosen: impl Fn(Interface, &[String]),
) -> Result<Box<dyn Source>> {
    let (last, better) = choices.split_last().expect("procfs can be read everywhere");
    let mut lacks = Vec::new();
    for choice in better {
        match open(*choice) {
            Ok(source) => {
                chosen(*choice, &lacks);
                return Ok(source);
            }
            Err(error) => lacks.push(error.lack()),
        }
        // Beside the kernel's events, sock_diag is polled, too.
        lacks.dedup();
    }
    let source = open(*last)?;
    chosen(*last, &lacks);
    Ok(source)
}
