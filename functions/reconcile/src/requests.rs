//! Requests that nobody answers: one reminder, and the word that it is too late.
//!
//! `decide` takes no answer after a day, whether anybody has been told or not; here people are told. Which cases there are is
//! known from triage's lists of each hour, so that no other case is touched: looked at are those of the hours in which a reminder
//! or a lapse comes due, and of the hour before each, should a sweep have been missed.

use access::{
    case::Case,
    decide::REQUEST_LAPSES,
    diagnosis::Response,
    notice::progress::Progress,
    triage::{HourFile, hour_key},
};
use adapters::{
    audit::{self, Entry, What},
    store::{Committed, Document, Store},
};

use crate::{
    facts::{Known, Subject},
    handle::{Reconcile, Run, Trouble},
    remembered::Remembered,
    tell::{GIVEN_UP, News, tell},
};

/// The reminder comes this long after the request. Seconds.
const REMINDED: i64 = REQUEST_LAPSES - 4 * 3600;
/// Cases that are read at a time.
const AT_ONCE: usize = 25;

/// The lists of the hours in which something comes due.
pub(crate) fn keys(now: i64) -> impl Iterator<Item = String> {
    [REMINDED, REQUEST_LAPSES].into_iter().flat_map(move |age| {
        let hour = (now - age).div_euclid(3600);
        [hour_key(hour), hour_key(hour - 1)]
    })
}

impl<S: Store> Reconcile<S> {
    /// Looks at the requests in these lists.
    pub(crate) async fn look_after_requests(&self, lists: &[Document], now: i64, run: &mut Run) -> Result<(), Trouble> {
        let keys: Vec<String> = keys(now).collect();
        let lists = lists.iter().filter(|list| keys.contains(&list.key));
        let files = lists.filter_map(|list| serde_json::from_str::<HourFile>(&list.body).ok());
        let subjects: Vec<Subject> = files
            .flat_map(|file| file.cases)
            .map(|case| Subject { case_id: case.id, opening: case.opening })
            .filter(|subject| !run.is_done(subject))
            .collect();
        for some in subjects.chunks(AT_ONCE) {
            if !run.has_time() {
                return Err(Trouble::TooLate);
            }
            let wanted: Vec<String> = some.iter().flat_map(Subject::keys).collect();
            let documents = self.store.read(&wanted).await?;
            for subject in some {
                let known = subject.known(&documents, &self.voucher, &run.verified).await;
                let looked = match known {
                    // What somebody wrote by hand answers nothing.
                    Ok(Known { case: Some(case), decision: None, .. }) => {
                        self.look_after_request(subject, &case, now, run).await
                    }
                    Ok(_) => Ok(()),
                    Err(why) => Err(why),
                };
                // One that can't be seen to must not hide the others.
                if let Err(why) = looked {
                    run.failed(&subject.case_id, &why);
                }
            }
        }
        Ok(())
    }

    async fn look_after_request(&self, subject: &Subject, case: &Case, now: i64, run: &mut Run) -> Result<(), Trouble> {
        let age = now - case.opened_at;
        let is_request = (&case.id, case.opening) == (&subject.case_id, subject.opening)
            && case.diagnosed(&self.setting).diagnosis.response == Response::RequestApproval;
        if !is_request || age < REMINDED {
            return Ok(());
        }
        let documents = self.store.read(&Remembered::keys(&subject.case_id, subject.opening, None)).await?;
        let mut remembered = Remembered::read(&subject.case_id, subject.opening, None, &documents);
        let history = remembered.history();
        let has_lapsed = age >= REQUEST_LAPSES;
        if history.is_finished || !has_lapsed && history.told.is_reminded {
            return Ok(());
        }
        let progress = if has_lapsed { Progress::Lapsed } else { Progress::Waiting(case.opened_at + REQUEST_LAPSES) };
        let mut told = history.told.clone();
        let news = News { case, decision: None, progress: progress.clone(), is_rehearsal: self.iam.is_picture() };
        let is_told =
            tell(&self.channels, news, &self.setting, &mut told, &run.telling, now).await || told.failures >= GIVEN_UP;
        let entry = Entry {
            state: Some(progress.word().to_owned()),
            ..Entry::new(if has_lapsed { What::Lapsed } else { What::Told }, &subject.case_id, subject.opening, now)
        };
        let history = remembered.history_mut();
        told.is_reminded = is_told && !has_lapsed || told.is_reminded;
        history.told = told;
        if is_told {
            audit::append(&mut history.entries, entry.clone());
            history.is_finished = has_lapsed;
        }
        // Somebody who comes between has told the same at the same time: once too often is better than not at all.
        if self.store.commit(&remembered.writes(now)).await? == Committed::Yes && is_told {
            entry.log();
        }
        Ok(())
    }
}
