//! What a run is shown as: the news of every reading become records, in one of the views.

use crate::cli::ViewName;
use crate::monitor::Monitor;
use crate::view::event::EventRecord;
use crate::view::{News, Record};

/// What a view may ask when there is news.
pub(super) struct Now<'m, 'f> {
    /// Who reads: knows the sockets there are.
    pub(super) monitor: &'m mut Monitor<'f>,
}

/// One way to show a run. A stream gives records as they come; a picture gives what it shows when
/// it is drawn: again and again on a terminal, once at the end of the run in a pipe.
pub(super) trait View {
    /// Takes in the news of one reading; returns what a stream prints of them.
    fn take(&mut self, news: Vec<News>, now: &mut Now<'_, '_>) -> Vec<Record>;

    /// What a picture shows now, or what a stream has not told yet.
    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record>;
}

/// The view that the settings ask for.
pub(super) fn open(view: ViewName) -> Box<dyn View> {
    match view {
        ViewName::Events => Box::new(Events),
        ViewName::Table => Box::new(Table),
    }
}

/// A line per transition.
struct Events;

impl View for Events {
    fn take(&mut self, news: Vec<News>, now: &mut Now<'_, '_>) -> Vec<Record> {
        let origin = now.monitor.origin();
        let event = |news| match news {
            News::Lost(lost) => Some(Record::Lost(lost)),
            News::Told(told) if told.passes => {
                Some(Record::Event(Box::new(EventRecord::new(*told, origin))))
            }
            News::Told(_) => None,
        };
        news.into_iter().filter_map(event).collect()
    }

    fn so_far(&mut self, _: &mut Now<'_, '_>) -> Vec<Record> {
        Vec::new()
    }
}

/// The sockets there are now.
struct Table;

impl View for Table {
    fn take(&mut self, news: Vec<News>, _: &mut Now<'_, '_>) -> Vec<Record> {
        losses(news)
    }

    fn so_far(&mut self, now: &mut Now<'_, '_>) -> Vec<Record> {
        let mut sockets = now.monitor.sockets();
        sockets.sort_by_key(|socket| std::cmp::Reverse(socket.held));
        sockets.into_iter().map(|socket| Record::Socket(Box::new(socket))).collect()
    }
}

/// All that a picture tells between the times it is drawn.
pub(super) fn losses(news: Vec<News>) -> Vec<Record> {
    let lost = |news| match news {
        News::Lost(lost) => Some(Record::Lost(lost)),
        News::Told(_) => None,
    };
    news.into_iter().filter_map(lost).collect()
}
