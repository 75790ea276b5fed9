//! Retires partitions beside readers and writers, by `DETACH … CONCURRENTLY`: for workers only.
//!
//! PostgreSQL does that in two transactions. What is to become of the partition is written down in one
//! before them, and done in one behind; whatever ends this process in between, the next run over the
//! table goes on where it stands, as [`next`] decides.

use super::act::unchanged;
use super::detach::{self, Disposal};
use super::family;
use super::read::Subject;
use super::recycle;
use super::referenced;
use super::set::Leaf;
use crate::catalog::policy::Action;
use crate::catalog::retirement::{self, Retirement, Seen};
use crate::catalog::{policy, table};
use crate::error::Error;
use crate::failpoint::failpoint;
use crate::guc;
use crate::pg::lock::{self, Mode};
use crate::pg::transaction::{Failure, unit};
use crate::pg::{settings, top_level};
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;
use pgrx::pg_sys;
use std::time::Duration;

/// What an attempt to detach came to.
pub enum Detached {
    /// The rest is for [`complete`].
    Done(Box<Retirement>),
    /// It is to be detached while everybody waits.
    Plainly,
    /// Why it was not tried, or not ended.
    NotTried(&'static str),
    /// Somebody else has done it meanwhile.
    Nothing,
}

/// How long it is waited for transactions that use the table, or the partition. Nobody waits for this
/// meanwhile but what changes the partition itself.
const PATIENCE: Duration = Duration::from_secs(5);

const STILL_USED: &str =
    "transactions that began before still use the table; the next run ends its detaching";

/// Detaches a partition beside readers and writers.
///
/// Outside any transaction.
pub fn detach(subject: &Subject, leaf: &Leaf, disposal: &Disposal) -> Result<Detached, Failure> {
    let partition = pg_sys::Oid::from(leaf.oid);
    let patience = match unit(|| table::foreign_keys(subject.parent))?.is_empty() {
        true => PATIENCE,
        // SHARE, or SHARE ROW EXCLUSIVE, on the tables that foreign keys link to it: their writers queue
        // behind that wait.
        false => guc::swap_lock_timeout(),
    };
    let begun = unit(|| begin(subject, leaf, disposal, patience))?;
    let retirement = match begun {
        Begun::Noted(retirement) => retirement,
        Begun::Plainly => return Ok(Detached::Plainly),
        Begun::NotTried(why) => return Ok(Detached::NotTried(why)),
        Begun::Nothing => return Ok(Detached::Nothing),
    };
    failpoint("detach:noted")?;
    // SHARE UPDATE EXCLUSIVE on the parent, and on the partition: readers and writers of both go on.
    // From its first commit on no new statement uses the partition through its parent. Then those that do
    // are waited for, without a lock. At last SHARE UPDATE EXCLUSIVE on the parent once more, and ACCESS
    // EXCLUSIVE on what is nobody's partition any more.
    let statement = Sql::template("ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY")
        .name("parent", &subject.name)
        .name("name", &retirement.name)
        .build();
    if let Err(failure) = top_level::run(subject.owner, patience, &statement) {
        let is_half_done = unit(|| {
            let half = table::half_detached(subject.parent)?.contains(&partition);
            if !half {
                retirement::forget(partition)?;
            }
            Ok(half)
        })?;
        return match is_half_done && failure.is_transient() {
            true => Ok(Detached::NotTried(STILL_USED)),
            false => Err(failure),
        };
    }
    lock::release_for_session(partition, Mode::ShareUpdateExclusive);
    failpoint("detach:detached")?;
    Ok(Detached::Done(retirement))
}

enum Begun {
    Noted(Box<Retirement>),
    Plainly,
    NotTried(&'static str),
    Nothing,
}

/// Writes down what is to become of a partition.
fn begin(
    subject: &Subject,
    leaf: &Leaf,
    disposal: &Disposal,
    patience: Duration,
) -> Result<Begun, Error> {
    let partition = pg_sys::Oid::from(leaf.oid);
    subject.as_owner(|| {
        // SHARE UPDATE EXCLUSIVE on the parent, then on the partition, until the end of the transaction:
        // readers and writers go on, but nobody attaches, detaches or renames meanwhile.
        family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
        lock::relation(partition, Mode::ShareUpdateExclusive, patience);
        let now = unchanged(subject)?;
        if !detach::is_still_there(&now, leaf) {
            return Ok(Begun::Nothing);
        }
        // PostgreSQL refuses the one beside a default partition, and a second one of the same table. Where there is a
        // guard, a key that somebody notes between the two transactions would stay there for ever.
        let can_be_split = now.default.is_none()
            && !referenced::has_guard(now.parent)?
            && now.name == subject.name
            && retirement::can_be_split(
                partition,
                now.owner,
                disposal.action,
                disposal.schema.as_deref(),
            )?;
        if !can_be_split {
            return Ok(Begun::Plainly);
        }
        if !table::half_detached(now.parent)?.is_empty() {
            return Ok(Begun::NotTried("another partition is half detached"));
        }
        let (Some(name), kept) = (
            table::qualified_name(partition)?,
            recycle::look(&now, leaf)?,
        ) else {
            return Ok(Begun::Nothing);
        };
        let retirement = Retirement {
            was: kept.recycled,
            condition: kept.condition,
            checks: kept.constraints,
            name,
            action: disposal.action,
            schema: disposal.schema.clone(),
            terms: disposal.terms.clone(),
        };
        retirement::note(&retirement)?;
        // The statement names the partition. Until it has it in hand, nobody gives that name to another.
        lock::relation_for_session(partition, Mode::ShareUpdateExclusive);
        Ok(Begun::Noted(Box::new(retirement)))
    })
}

/// What is to be done about a partition whose detaching was begun.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing any more; why.
    LetGo(&'static str),
    /// What was decided, once its detaching has ended.
    Dispose { is_half: bool },
    /// No more than that its detaching ends; why.
    Leave { is_half: bool, why: &'static str },
}

/// Decides, for a table of that owner whose policy says that by now.
pub fn next(retirement: &Retirement, seen: Option<&Seen>, owner: pg_sys::Oid, terms: &str) -> Next {
    let Some(seen) = seen else {
        return Next::LetGo("it is gone");
    };
    let is_half = match seen.parent {
        Some((parent, _)) if parent != retirement.was.parent => {
            return Next::LetGo("somebody has attached it to another table");
        }
        Some((_, false)) => {
            return Next::LetGo(
                "it is attached: it was not detached, or somebody has attached it again",
            );
        }
        Some((_, true)) => true,
        None => false,
    };
    let why = if seen.name != retirement.name {
        "it has another name by now"
    } else if seen.owner != owner {
        "it has another owner by now"
    } else if seen.is_pinned {
        "it is pinned"
    } else if retirement.terms != terms {
        "the policy says otherwise by now"
    } else {
        return Next::Dispose { is_half };
    };
    Next::Leave { is_half, why }
}

/// What going on came to.
pub enum Completed {
    /// What was decided is done; the name that it has then.
    Done(QualifiedName),
    /// It is a table by itself, with this name, and stays that; why.
    Left(QualifiedName, &'static str),
    /// It is left alone; why.
    LetGo(&'static str),
    /// Somebody else has done it meanwhile.
    Nothing,
}

/// Does the rest: ends the detaching, if it has not ended, and does with the table what was decided.
/// In the transaction in which that is forgotten: once, and as a whole.
pub fn complete(subject: &Subject, retirement: &Retirement) -> Result<Completed, Error> {
    let partition = retirement.was.partition;
    let look = |owner| -> Result<Next, Error> {
        let policy = policy::find(subject.parent)?;
        let terms = policy.map_or_else(String::new, |policy| policy.retention_terms());
        let seen = retirement::look(partition)?;
        Ok(next(retirement, seen.as_ref(), owner, &terms))
    };
    let is_half = match look(subject.owner)? {
        Next::LetGo(why) => {
            retirement::forget(partition)?;
            return Ok(Completed::LetGo(why));
        }
        Next::Dispose { is_half } | Next::Leave { is_half, .. } => is_half,
    };
    subject.as_owner(|| {
        if is_half {
            // SHARE UPDATE EXCLUSIVE on the parent, before the partition, until the end of the
            // (sub)transaction: readers and writers go on, while who is still detaching is waited for shortly.
            family::lock(subject.parent, Mode::ShareUpdateExclusive)?;
        }
        // ACCESS EXCLUSIVE on what is nobody's partition any more, until the end of the
        // (sub)transaction: who still reads it goes first.
        lock::relation(partition, Mode::AccessExclusive, guc::swap_lock_timeout());
        let now = unchanged(subject)?;
        if retirement::find(partition)?.as_ref() != Some(retirement) {
            return Ok(Completed::Nothing);
        }
        let (next, name) = (look(now.owner)?, table::qualified_name(partition)?);
        let (is_still_half, stays) = match next {
            Next::LetGo(why) => {
                retirement::forget(partition)?;
                return Ok(Completed::LetGo(why));
            }
            Next::Dispose { is_half } => (is_half, None),
            Next::Leave { is_half, why } => (is_half, Some(why)),
        };
        let Some(name) = name.filter(|_| is_still_half == is_half) else {
            return Ok(Completed::Nothing);
        };
        if is_half {
            detach::end(&now, &name)?;
        }
        retirement::forget(partition)?;
        match stays {
            Some(why) => Ok(Completed::Left(name, why)),
            None => dispose(retirement, name).map(Completed::Done),
        }
    })
}

/// Does with a table what was decided. It has a CHECK in place of its bounds, which a plain DETACH does not
/// leave behind.
fn dispose(retirement: &Retirement, name: QualifiedName) -> Result<QualifiedName, Error> {
    let added = match retirement.action {
        Action::Drop => None,
        _ => settings::within(&settings::AS_WRITTEN, || {
            retirement::added_check(retirement)
        })?,
    };
    let was = &retirement.was;
    match (retirement.action, &added) {
        // It does what the one of the bin is for, and is valid.
        (Action::Recycle, Some(check)) => recycle::keep_by(was, check, &name)?,
        (Action::Recycle, None) => recycle::keep(was, &retirement.condition, &name)?,
        (_, Some(check)) => super::act::run(
            Sql::template("ALTER TABLE {name} DROP CONSTRAINT {check}")
                .name("name", &name)
                .ident("check", check),
        )?,
        (_, None) => {}
    }
    detach::dispose(
        was.partition,
        name,
        retirement.action,
        retirement.schema.as_deref(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::recycled::Recycled;

    fn oid(number: u32) -> pg_sys::Oid {
        pg_sys::Oid::from(number)
    }

    fn named(name: &str) -> QualifiedName {
        QualifiedName::new("s", name)
    }

    fn retirement() -> Retirement {
        Retirement {
            was: Recycled {
                partition: oid(1),
                parent: oid(2),
                bounds: String::new(),
                lower: None,
                upper: None,
                constraint: String::new(),
            },
            condition: String::new(),
            checks: Vec::new(),
            name: named("p"),
            action: Action::Drop,
            schema: None,
            terms: "drop".to_owned(),
        }
    }

    fn seen(parent: Option<(u32, bool)>) -> Seen {
        Seen {
            parent: parent.map(|(parent, is_half)| (oid(parent), is_half)),
            name: named("p"),
            owner: oid(9),
            is_pinned: false,
        }
    }

    fn next_of(seen: Option<Seen>, terms: &str) -> Next {
        next(&retirement(), seen.as_ref(), oid(9), terms)
    }

    #[test]
    fn it_goes_on_where_it_stands() {
        assert_eq!(
            next_of(Some(seen(Some((2, true)))), "drop"),
            Next::Dispose { is_half: true }
        );
        assert_eq!(
            next_of(Some(seen(None)), "drop"),
            Next::Dispose { is_half: false }
        );
    }

    #[test]
    fn what_is_gone_or_attached_is_let_go() {
        for parent in [(2, false), (3, false), (3, true)] {
            let next = next_of(Some(seen(Some(parent))), "drop");
            assert!(matches!(next, Next::LetGo(_)), "{parent:?}: {next:?}");
        }
        assert!(matches!(next_of(None, "drop"), Next::LetGo(_)));
    }

    #[test]
    fn what_has_changed_is_only_detached() {
        for is_half in [true, false] {
            let parent = is_half.then_some((2, true));
            let renamed = Seen {
                name: named("q"),
                ..seen(parent)
            };
            let given_away = Seen {
                owner: oid(8),
                ..seen(parent)
            };
            let pinned = Seen {
                is_pinned: true,
                ..seen(parent)
            };
            let cases = [
                (renamed, "drop"),
                (given_away, "drop"),
                (pinned, "drop"),
                (seen(parent), "detach"),
            ];
            for (seen, terms) in cases {
                let next = next_of(Some(seen), terms);
                let Next::Leave { is_half: half, .. } = next else {
                    panic!("{next:?}");
                };
                assert_eq!(half, is_half);
            }
        }
    }
}
