//! Whether all is well with a table, and what to do if not: pure.

use super::set::{PartitionSet, Position};

/// What was seen of a table and of its maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub premake: u32,
    /// Partitions that begin behind all that is in use.
    pub ahead: u32,
    /// Whether the last partition has no end.
    pub is_endless: bool,
    /// Whether a partition takes rows of now; for integers, the next row.
    pub takes_present: bool,
    pub has_default: bool,
    /// Whether the policy wants one; `None` where it does not care.
    pub wants_default: Option<bool>,
    pub default_has_rows: bool,
    /// Ranges between partitions that no partition takes.
    pub gaps: u32,
    /// Partitions that are half detached.
    pub half_detached: u32,
    /// Partitions that are to be retired.
    pub overdue: u32,
    /// So many of them the next run retires: no more than its fuses let through.
    pub next_to_go: u32,
    /// Why partitions that are old cannot go, a line for each.
    pub obstacles: Vec<String>,
    /// Whether a worker is going to run.
    pub is_scheduled: bool,
    /// In a row.
    pub failures: u32,
    pub last_error: Option<String>,
    /// What of the partitions has drifted, in words.
    pub drifted: Vec<String>,
    /// Whether some of that would be mended if the policy said so.
    pub is_mendable: bool,
    /// Partitions that are partitioned and have no policy as their siblings have, in words.
    pub unkept: Option<String>,
    /// Partitions whose keys are being taken out of the guard, or were, in words.
    pub leaving: Vec<String>,
    /// Foreign keys that point at it, and that a conversion has left NOT VALID, in words.
    pub not_valid: Vec<String>,
    /// What does not keep the guard of its key exact any more, in words.
    pub unguarded: Vec<String>,
    /// Rows that no partition takes, by list or by hash, in words.
    pub refused: Option<String>,
    /// Whether new values are to get partitions, and there is no default partition that takes them first.
    pub lacks_default: bool,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    #[default]
    Ok,
    Warning,
    /// Rows are being refused, or are about to be.
    Critical,
}

impl Verdict {
    /// The word for it in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Critical => "critical",
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run maintenance now.
    Ensure,
    /// Look at the rows of the default partition.
    LookAtDefault,
    /// Look at what failed.
    LookAtRuns,
    /// Have what has drifted mended.
    Repair,
    /// Make a default partition.
    MakeDefault,
    /// Look at what has drifted, and how it is mended by hand.
    LookAtDrift,
    /// Give a partition that is partitioned a policy.
    SetPolicy,
    /// Look at what would be retired.
    LookAtRetention,
    /// Validate a foreign key.
    Validate,
    /// Look at the guard of its key.
    CheckGuard,
}

/// Something that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub reason: String,
    pub next: Next,
}

/// All that is not well, the most urgent first.
pub fn judge(seen: &Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |verdict, next, reason: String| {
        findings.push(Finding {
            verdict,
            reason,
            next,
        });
    };
    use Verdict::{Critical, Warning};
    match (seen.takes_present, seen.has_default) {
        (true, _) => {}
        (false, false) => find(
            Critical,
            Next::Ensure,
            "no partition takes rows of the present: they are refused".to_owned(),
        ),
        (false, true) => find(
            Warning,
            Next::Ensure,
            "no partition takes rows of the present: they go to the default partition".to_owned(),
        ),
    }
    match (seen.wants_default, seen.has_default) {
        (Some(true), false) => find(
            Critical,
            Next::Ensure,
            "there is no default partition, and the policy wants one: rows that no other takes are refused".to_owned(),
        ),
        (Some(false), true) => find(
            Warning,
            Next::LookAtDefault,
            "there is a default partition, and the policy wants none".to_owned(),
        ),
        _ => {}
    }
    if let Some(refused) = &seen.refused {
        find(Critical, Next::Ensure, refused.clone());
    }
    if seen.lacks_default {
        find(
            Warning,
            Next::MakeDefault,
            "there is no default partition: rows of new values are refused, and nobody learns of them"
                .to_owned(),
        );
    }
    if seen.failures > 0 {
        let error = match &seen.last_error {
            Some(error) => format!(": {error}"),
            // Counted when it began, and never ended.
            None => ": it did not end".to_owned(),
        };
        let runs = match seen.failures {
            1 => "the last run of maintenance failed".to_owned(),
            many => format!("the last {many} runs of maintenance failed"),
        };
        find(Warning, Next::LookAtRuns, runs + &error);
    }
    if seen.default_has_rows {
        find(
            Warning,
            Next::LookAtDefault,
            "the default partition holds rows that belong into partitions of their own, or nowhere"
                .to_owned(),
        );
    }
    // With one to be made ahead, none is too few.
    if seen.takes_present && !seen.is_endless && seen.ahead < seen.premake.div_ceil(2) {
        find(
            Warning,
            Next::Ensure,
            format!(
                "{} of {} partitions are made ahead",
                seen.ahead, seen.premake
            ),
        );
    }
    if seen.gaps > 0 {
        find(
            Warning,
            Next::Ensure,
            format!("{} between partitions", counted(seen.gaps, "gap")),
        );
    }
    if seen.half_detached > 0 {
        find(
            Warning,
            Next::Ensure,
            format!(
                "{} half detached: DETACH CONCURRENTLY was interrupted, or is under way",
                counted(seen.half_detached, "partition")
            ),
        );
    }
    // What became old just now goes with the next run; that is no reason to wake anybody.
    let goes_soon = seen.is_scheduled && seen.failures == 0 && seen.overdue <= seen.next_to_go;
    if seen.overdue > 0 && !goes_soon {
        find(
            Warning,
            Next::Ensure,
            format!("{} to be retired", counted(seen.overdue, "partition")),
        );
    }
    for leaving in &seen.leaving {
        find(Warning, Next::Ensure, leaving.clone());
    }
    if let Some(unkept) = &seen.unkept {
        find(Warning, Next::SetPolicy, unkept.clone());
    }
    for fault in &seen.unguarded {
        find(Warning, Next::CheckGuard, fault.clone());
    }
    for key in &seen.not_valid {
        find(Warning, Next::Validate, key.clone());
    }
    for obstacle in &seen.obstacles {
        find(Warning, Next::LookAtRetention, obstacle.clone());
    }
    let mend = match seen.is_mendable {
        true => Next::Repair,
        false => Next::LookAtDrift,
    };
    for drifted in &seen.drifted {
        find(Warning, mend, drifted.clone());
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    findings
}

fn counted(number: u32, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// How many partitions begin behind all that is in use.
pub fn ahead(set: &PartitionSet, position: Position) -> u32 {
    let reach = position.reach().unwrap_or(i64::MIN);
    let ahead = set
        .leaves
        .iter()
        .filter(|leaf| leaf.lower.is_some_and(|lower| lower > reach));
    u32::try_from(ahead.count()).unwrap_or(u32::MAX)
}

/// Whether a partition takes rows of now; for integers, the newest row. Without either there is
/// nothing to be taken, but some partition there must be.
pub fn takes_present(set: &PartitionSet, position: Position) -> bool {
    match position.now.or(position.newest.map(|(_, newest)| newest)) {
        Some(present) => set.overlaps(present, present.saturating_add(1)),
        None => !set.leaves.is_empty(),
    }
}

/// From the present, or the newest integer, to the end of the last partition, in units of the key.
/// `None` where there is no end, or nothing to count from.
pub fn runway(set: &PartitionSet, position: Position) -> Option<i64> {
    let end = set.leaves.last()?.upper?;
    match (position.now, position.newest) {
        (Some(now), _) => Some(end.saturating_sub(now)),
        (None, Some((_, newest))) => Some(end.saturating_sub(newest).saturating_sub(1)),
        (None, None) => None,
    }
}

/// Gaps that maintenance would fill: none of what was retired.
pub fn gaps(set: &PartitionSet, keep_from: Option<i64>) -> u32 {
    let gaps = set.gaps().into_iter().filter(
        |(_, to)| matches!(to, Some(to) if keep_from.is_none_or(|keep_from| keep_from < *to)),
    );
    u32::try_from(gaps.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::set::Leaf;
    use super::*;
    use crate::plan::interval::KeyType;

    fn well() -> Seen {
        Seen {
            premake: 4,
            ahead: 4,
            takes_present: true,
            next_to_go: 10,
            is_scheduled: true,
            ..Seen::default()
        }
    }

    fn found(seen: Seen) -> Vec<(Verdict, Next)> {
        judge(&seen)
            .into_iter()
            .map(|finding| (finding.verdict, finding.next))
            .collect()
    }

    #[test]
    fn all_is_well() {
        assert_eq!(found(well()), []);
        let half = Seen { ahead: 2, ..well() };
        assert_eq!(found(half), [], "half of them are enough");
        let endless = Seen {
            is_endless: true,
            ahead: 0,
            ..well()
        };
        assert_eq!(found(endless), []);
        let none_wanted = Seen {
            premake: 0,
            ahead: 0,
            ..well()
        };
        assert_eq!(found(none_wanted), []);
    }

    #[test]
    fn rows_that_are_refused_are_critical() {
        let refused = Seen {
            takes_present: false,
            ahead: 0,
            failures: 2,
            last_error: Some("no".to_owned()),
            ..well()
        };
        assert_eq!(
            found(refused.clone()),
            [
                (Verdict::Critical, Next::Ensure),
                (Verdict::Warning, Next::LookAtRuns)
            ]
        );
        let kept = Seen {
            has_default: true,
            ..refused
        };
        assert_eq!(found(kept)[0], (Verdict::Warning, Next::Ensure));
    }

    #[test]
    fn too_few_ahead_rows_in_default_and_gaps_are_warned_of() {
        let warned = Seen {
            ahead: 1,
            has_default: true,
            default_has_rows: true,
            gaps: 1,
            half_detached: 1,
            ..well()
        };
        assert_eq!(
            found(warned),
            [
                (Verdict::Warning, Next::LookAtDefault),
                (Verdict::Warning, Next::Ensure),
                (Verdict::Warning, Next::Ensure),
                (Verdict::Warning, Next::Ensure)
            ]
        );
        let only_one_wanted = Seen {
            premake: 1,
            ahead: 0,
            ..well()
        };
        assert_eq!(found(only_one_wanted).len(), 1);
    }

    #[test]
    fn a_default_partition_is_there_if_it_is_wanted() {
        let seen = |wants_default, has_default| Seen {
            wants_default,
            has_default,
            ..well()
        };
        for as_wanted in [
            (Some(true), true),
            (Some(false), false),
            (None, true),
            (None, false),
        ] {
            assert_eq!(found(seen(as_wanted.0, as_wanted.1)), []);
        }
        let missing = found(seen(Some(true), false));
        assert_eq!(missing, [(Verdict::Critical, Next::Ensure)]);
        let too_many = found(seen(Some(false), true));
        assert_eq!(too_many, [(Verdict::Warning, Next::LookAtDefault)]);
    }

    #[test]
    fn what_cannot_go_is_warned_of() {
        let kept_back = Seen {
            obstacles: vec!["a".to_owned()],
            ..well()
        };
        assert_eq!(
            found(kept_back),
            [(Verdict::Warning, Next::LookAtRetention)]
        );
    }

    #[test]
    fn what_has_drifted_is_warned_of() {
        let drifted = Seen {
            drifted: vec!["a".to_owned(), "b".to_owned()],
            ..well()
        };
        assert_eq!(
            found(drifted.clone()),
            [(Verdict::Warning, Next::LookAtDrift); 2]
        );
        let mendable = Seen {
            is_mendable: true,
            gaps: 1,
            ..drifted
        };
        assert_eq!(
            found(mendable),
            [
                (Verdict::Warning, Next::Ensure),
                (Verdict::Warning, Next::Repair),
                (Verdict::Warning, Next::Repair)
            ]
        );
    }

    #[test]
    fn a_partition_without_a_policy_is_warned_of() {
        let unkept = Seen {
            unkept: Some("a".to_owned()),
            ..well()
        };
        assert_eq!(found(unkept), [(Verdict::Warning, Next::SetPolicy)]);
        let not_valid = Seen {
            not_valid: vec!["foreign key \"k\" is NOT VALID".to_owned()],
            ..well()
        };
        assert_eq!(found(not_valid), [(Verdict::Warning, Next::Validate)]);
        let unguarded = Seen {
            unguarded: vec!["a trigger is disabled".to_owned()],
            ..well()
        };
        assert_eq!(found(unguarded), [(Verdict::Warning, Next::CheckGuard)]);
    }

    #[test]
    fn what_goes_with_the_next_run_wakes_nobody() {
        let overdue = Seen {
            overdue: 3,
            ..well()
        };
        assert_eq!(found(overdue.clone()), []);
        let nobody_runs = Seen {
            is_scheduled: false,
            ..overdue.clone()
        };
        assert_eq!(found(nobody_runs).len(), 1);
        let too_many = Seen {
            next_to_go: 2,
            ..overdue
        };
        assert_eq!(found(too_many).len(), 1);
    }

    #[test]
    fn rows_that_no_list_or_remainder_takes_are_critical() {
        let seen = Seen {
            takes_present: true,
            refused: Some("all of them".to_owned()),
            lacks_default: true,
            ..Seen::default()
        };
        assert_eq!(
            found(seen),
            [
                (Verdict::Critical, Next::Ensure),
                (Verdict::Warning, Next::MakeDefault)
            ]
        );
    }

    #[test]
    fn numbers_are_read_off_the_partitions() {
        let leaf = |lower, upper| Leaf {
            oid: 0,
            lower: Some(lower),
            upper: Some(upper),
            bytes: 0,
            rows: None,
            is_pinned: false,
            obstacle: None,
        };
        let set = PartitionSet {
            key: KeyType::Date,
            leaves: vec![leaf(0, 10), leaf(20, 30), leaf(30, 40)],
        };
        let at = |now| Position {
            now: Some(now),
            newest: Some((5, 5)),
        };
        assert_eq!(ahead(&set, at(7)), 2);
        assert_eq!(runway(&set, at(7)), Some(33));
        assert!(takes_present(&set, at(7)));
        assert!(!takes_present(&set, at(15)));
        assert_eq!(gaps(&set, None), 1);
        assert_eq!(gaps(&set, Some(20)), 0);
        let integers = Position {
            now: None,
            newest: Some((25, 25)),
        };
        assert_eq!(runway(&set, integers), Some(14));
        assert_eq!(runway(&set, Position::default()), None);
    }
}
