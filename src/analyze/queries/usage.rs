//! Which statements use a table, and by which of its columns they choose rows.

use super::recorded::{self, Recorded, Unknown};
use super::{text, words};
use crate::catalog::table::{TO_ACT_AS, may_act_as};
use crate::db;
use crate::error::Error;
use crate::guc;
use crate::pg::planner::{self, Unfit};
use crate::pg::role::{self, Restriction, acting_as};
use crate::pg::transaction::{Failure, rolled_back};
use crate::pg::{interrupts, settings};
use pgrx::pg_sys;
use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;

/// What is known about the statements on a table.
#[derive(Debug, Default)]
pub struct Usage {
    /// Those with the most time first.
    pub statements: Vec<Statement>,
    /// Those whose text the caller may not see, on whatever table.
    pub hidden: Sum,
    /// Those that name the table, and were not looked at for their number.
    pub left_out: Sum,
}

/// Several statements together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    pub statements: i64,
    pub calls: i64,
    pub time: f64,
}

/// A statement on the table.
#[derive(Debug)]
pub struct Statement {
    pub text: String,
    pub calls: i64,
    pub time: f64,
    /// How it can be planned; or why not.
    pub way: Result<Way, Unplanned>,
}

impl Statement {
    /// Whether it is a command that has no plan, of which partitions change nothing: its time is
    /// no part of what could be gained.
    pub fn is_command(&self) -> bool {
        matches!(self.way, Err(Unplanned::Command))
    }
}

/// Why a statement has no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// COPY, ANALYZE, and the like.
    Command,
    /// In a sentence.
    Because(String),
}

/// How a statement can be planned.
#[derive(Debug)]
pub struct Way {
    pub actor: Actor,
    /// The text that the parser took.
    pub parsed: String,
    /// Attribute numbers of the columns by which it chooses rows of the table.
    pub compared: Vec<i16>,
}

/// A role, as its own sessions begin.
#[derive(Clone, Debug)]
pub struct Actor {
    role: pg_sys::Oid,
    search_path: CString,
}

impl Sum {
    fn add(&mut self, recorded: &Recorded) {
        self.statements += 1;
        self.calls += recorded.calls;
        self.time += recorded.time;
    }
}

impl Usage {
    /// Milliseconds of all statements on the table that were looked at, commands apart.
    pub fn time(&self) -> f64 {
        let statements = self.statements.iter();
        statements
            .filter(|statement| !statement.is_command())
            .map(|statement| statement.time)
            .sum()
    }

    /// The share of that time which goes to statements that compare a column, by its number.
    pub fn shares(&self) -> BTreeMap<i16, f64> {
        let all = self.time();
        let mut shares = BTreeMap::new();
        for statement in &self.statements {
            for attnum in statement.way.iter().flat_map(|way| &way.compared) {
                *shares.entry(*attnum).or_insert(0.0) +=
                    statement.time / all.max(f64::MIN_POSITIVE);
            }
        }
        shares
    }
}

/// Finds the statements on a table. `Err` is why they are not to be had.
pub fn find(source: pg_sys::Oid) -> Result<Result<Usage, Unknown>, Error> {
    let most = guc::analyze_queries();
    if most == 0 {
        return Ok(Err(Unknown::SwitchedOff));
    }
    let names = recorded::names(source)?;
    let all = match recorded::read(&names)? {
        Ok(all) => all,
        Err(why) => return Ok(Err(why)),
    };
    let mut search = Search {
        source,
        names,
        caller: role::current(),
        actors: HashMap::new(),
        places: HashMap::new(),
        found: Usage::default(),
    };
    for recorded in all {
        interrupts::check();
        search.add(recorded, most)?;
    }
    // Calls of other roles may have been added to a statement.
    let mut usage = search.found;
    usage
        .statements
        .sort_by(|a, b| b.time.total_cmp(&a.time).then_with(|| a.text.cmp(&b.text)));
    Ok(Ok(usage))
}

struct Search {
    source: pg_sys::Oid,
    names: Vec<String>,
    caller: pg_sys::Oid,
    actors: HashMap<pg_sys::Oid, Result<Actor, String>>,
    /// Where a statement stands among those that were found, by its queryid.
    places: HashMap<i64, usize>,
    found: Usage,
}

impl Search {
    fn add(&mut self, recorded: Recorded, most: usize) -> Result<(), Error> {
        let (Some(id), Some(text)) = (recorded.id, &recorded.text) else {
            self.found.hidden.add(&recorded);
            return Ok(());
        };
        // The same statement of another role.
        if let Some(place) = self.places.get(&id).copied() {
            let can_be_planned = self.found.statements[place].way.is_ok();
            let way = match can_be_planned {
                true => None,
                false => self.way(&recorded, text)?.filter(Result::is_ok),
            };
            let known = &mut self.found.statements[place];
            known.calls += recorded.calls;
            known.time += recorded.time;
            if let Some(way) = way {
                known.way = way;
            }
            return Ok(());
        }
        if self.found.statements.len() >= most {
            if text::mentions(text, &self.names) {
                self.found.left_out.add(&recorded);
            }
            return Ok(());
        }
        if let Some(way) = self.way(&recorded, text)? {
            self.places.insert(id, self.found.statements.len());
            self.found.statements.push(Statement {
                text: text.clone(),
                calls: recorded.calls,
                time: recorded.time,
                way,
            });
        }
        Ok(())
    }

    /// How a statement can be planned, or why not; `None` where it is not on the table.
    fn way(
        &mut self,
        recorded: &Recorded,
        text: &str,
    ) -> Result<Option<Result<Way, Unplanned>>, Error> {
        let actor = match self.actor(recorded)? {
            Ok(actor) => actor,
            Err(why) => return Ok(self.listed(text, Unplanned::Because(why))),
        };
        let source = self.source;
        let mut parsed = text.to_owned();
        let mut outcome = actor.tries(|| planner::compared_columns(&parsed, source, is_trusted));
        if outcome.as_ref().is_err_and(is_syntax)
            && let Some(written) = text::with_casts(text)
        {
            let second = actor.tries(|| planner::compared_columns(&written, source, is_trusted));
            if second.is_ok() {
                (outcome, parsed) = (second, written);
            }
        }
        Ok(match outcome {
            Ok(Ok(None)) => None,
            Ok(Ok(Some(compared))) => Some(Ok(Way {
                actor,
                parsed,
                compared,
            })),
            Ok(Err(Unfit::Utility)) => self.listed(text, Unplanned::Command),
            Ok(Err(unfit)) => self.listed(text, Unplanned::Because(words::unfit(unfit))),
            Err(failure) => self.listed(text, Unplanned::Because(words::failure(&failure))),
        })
    }

    /// Whether a statement is on the table cannot be told but by its text.
    fn listed(&self, text: &str, why: Unplanned) -> Option<Result<Way, Unplanned>> {
        text::mentions(text, &self.names).then_some(Err(why))
    }

    fn actor(&mut self, recorded: &Recorded) -> Result<Result<Actor, String>, Error> {
        if let Some(known) = self.actors.get(&recorded.role) {
            return Ok(known.clone());
        }
        let actor = match &recorded.role_name {
            None => Err("The role that ran it was dropped.".to_owned()),
            Some(name) if !may_act_as(self.caller, recorded.role)? => Err(format!(
                "Role \"{name}\" ran it, and you may not act as that role."
            )),
            Some(_) => {
                let path = recorded::search_path(recorded.role)?;
                Ok(Actor {
                    role: recorded.role,
                    // Temporary tables of this session are none of the statement's: last, they are
                    // found only where nothing else is.
                    search_path: CString::new(match path.trim().is_empty() {
                        true => "pg_temp".to_owned(),
                        false => format!("{path}, pg_temp"),
                    })
                    .unwrap_or_default(),
                })
            }
        };
        self.actors.insert(recorded.role, actor.clone());
        Ok(actor)
    }
}

/// Whether all these functions belong to superusers, to the present role, or to roles that may act as
/// it: nobody else is to have code of his run with its rights, whatever a name means today.
pub fn is_trusted(functions: &[pg_sys::Oid]) -> bool {
    let sql = format!(
        "SELECT NOT EXISTS (SELECT FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner \
                             WHERE p.oid = ANY ($1) AND NOT r.rolsuper \
                               AND NOT pg_has_role(r.oid, current_user, {TO_ACT_AS}))"
    );
    let found = db::value::<bool>(&sql, &[functions.to_vec().into()]);
    found.unwrap_or(false)
}

fn is_syntax(failure: &Failure) -> bool {
    failure.code == pgrx::PgSqlErrorCode::ERRCODE_SYNTAX_ERROR
}

impl Actor {
    /// Has a statement planned as this role, in a subtransaction that is rolled back. Locks are
    /// waited for no longer than a conversion would.
    pub fn tries<T>(
        &self,
        plan: impl FnOnce() -> Result<Option<T>, Unfit>,
    ) -> Result<Result<Option<T>, Unfit>, Failure> {
        let patience = guc::swap_lock_timeout().as_millis().max(1).to_string();
        let patience = CString::new(patience).unwrap_or_default();
        rolled_back(|| {
            acting_as(self.role, Restriction::SecurityRestricted, || {
                settings::set_local(c"search_path", &self.search_path);
                settings::set_local(c"lock_timeout", &patience);
                settings::set_local(c"client_min_messages", c"error");
                settings::set_local(c"enable_partition_pruning", c"on");
                Ok(plan())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_among_columns() {
        let statement = |time, compared: Option<&[i16]>| Statement {
            text: String::new(),
            calls: 1,
            time,
            way: match compared {
                Some(compared) => Ok(Way {
                    actor: Actor {
                        role: pg_sys::InvalidOid,
                        search_path: CString::default(),
                    },
                    parsed: String::new(),
                    compared: compared.to_vec(),
                }),
                None => Err(Unplanned::Because("no".to_owned())),
            },
        };
        let usage = Usage {
            statements: vec![
                statement(60.0, Some(&[1, 2])),
                statement(30.0, Some(&[2])),
                statement(10.0, None),
                Statement {
                    way: Err(Unplanned::Command),
                    ..statement(900.0, None)
                },
            ],
            ..Usage::default()
        };
        let shares: Vec<(i16, i64)> = usage
            .shares()
            .into_iter()
            .map(|(attnum, share)| (attnum, (share * 100.0).round() as i64))
            .collect();
        assert_eq!(shares, [(1, 60), (2, 90)]);
        assert!(Usage::default().shares().is_empty());
    }
}
