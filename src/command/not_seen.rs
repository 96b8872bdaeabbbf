//! What `check` has not seen of the time that it is about: without a violation the answer is unknown then.

use crate::error::{Error, Inconclusive, Question, Reason, Unseen};
use crate::settings::check::CheckSettings;

/// The first thing that was not seen and may change the answer.
#[derive(Debug)]
pub(super) struct NotSeen<'c> {
    check: &'c CheckSettings,
    first: Option<Unseen>,
}

impl<'c> NotSeen<'c> {
    /// Before the first reading.
    pub(super) const fn new(check: &'c CheckSettings) -> Self {
        Self { check, first: None }
    }

    /// Notes what was not seen with a reading. `is_watching`: the time that a live check is about has
    /// begun.
    pub(super) fn note(&mut self, unseen: Vec<Unseen>, is_watching: bool) {
        let mut unseen = unseen.into_iter().filter(|unseen| self.matters(unseen, is_watching));
        if self.first.is_none() {
            self.first = unseen.next();
        }
    }

    /// Why it is unknown whether there were violations; `None` where nothing was missed.
    pub(super) fn error(&self) -> Option<Error> {
        let reason = Reason::Unseen(self.first.clone()?);
        Some(Inconclusive { question: Question::NoViolations, reason }.into())
    }

    /// Whether it may have hidden a violation. What was hidden only in the last poll is another
    /// matter: that poll is repeated.
    fn matters(&self, unseen: &Unseen, is_watching: bool) -> bool {
        let CheckSettings { limits, from, duration, ends_when_decided, ports, .. } = self.check;
        match unseen {
            // A number has not grown if it is no larger at the end, whatever it was in between.
            Unseen::Readings(..) if ports.is_none() && limits.are_growth() => false,
            _ if from.is_some() => true,
            // The polls that decide are the last ones.
            _ if duration.is_some_and(|time| time.is_zero()) => false,
            // It was asked about the sockets that there are.
            Unseen::Rows(..) | Unseen::Namespaces(..) if *ends_when_decided => false,
            _ => is_watching,
        }
    }
}
