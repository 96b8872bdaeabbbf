//! What exact look-ups prove: that a socket is gone, or that a pass only missed it.

use super::{Missing, Tracker};
use crate::reading::{Answer, Answers, Question};
use crate::transition::{Conclusion, LifeId};

impl Tracker {
    pub(super) fn take_answers(&mut self, answers: &Answers) -> Vec<Conclusion> {
        let look = answers.look();
        let (mut gone, mut touched) = (Vec::new(), Vec::new());
        for (question, answer) in &answers.answers {
            let Some(id) = self.asked_about(question) else { continue };
            let (ends, pass) = (question.ends, self.pass);
            let alone = self.lives.get(&ends).is_some_and(|lives| lives.len() == 1);
            let Some(life) = self.life_mut(ends, id) else { continue };
            match answer {
                Answer::Gone => {
                    gone.push(Missing { ends, id, inode: life.last_inode, gone: true });
                }
                // What has these ends and no inode may be what a successor left.
                Answer::There(row)
                    if row.inode == 0 && life.cookie_says(row).is_none() && !alone => {}
                Answer::There(row) if row.ends == ends && life.may_become(row) => {
                    life.show(row, life.now.index, pass, &look);
                    if life.state != Some(row.state) {
                        touched.push((0, ends, id));
                    }
                }
                Answer::There(row) if row.ends == ends && life.began_anew(row) => {
                    gone.push(Missing { ends, id, inode: life.last_inode, gone: true });
                }
                // A successor, or a twin on another link: the next pass decides.
                Answer::There(_) => {}
            }
        }
        let mut told = Vec::new();
        self.close(&gone, &look, &mut told);
        self.release(&mut told);
        self.tell_news(touched, &[], &look, &mut told);
        told
    }

    /// The life that a question was about; none where several would have asked the same.
    fn asked_about(&self, question: &Question) -> Option<LifeId> {
        let lives = self.lives.get(&question.ends)?;
        let mut asking = lives
            .iter()
            .filter(|life| life.pass != self.pass || life.died)
            .filter(|life| life.question(question.ends) == *question);
        let first = asking.next()?.id;
        asking.next().is_none().then_some(first)
    }
}
