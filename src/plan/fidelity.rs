//! Whether a result is what its source was, but for what being partitioned means.

use super::Plan;
use super::blockers::lacks;
use super::deparsed::bare;
use super::dependents::{Dependents, successors_made_in_the_swap};
use super::facts::{Facts, describe_change};

/// What differs that should not, in a sentence for the user; `None` where nothing does.
pub fn difference(source: &Facts, result: &Facts, plan: &Plan) -> Option<String> {
    let wanted = comparable(&expected(source, result, plan));
    let found = comparable(result);
    (wanted != found).then(|| describe_change(&wanted, &found))
}

/// The source as it looks when it is partitioned.
fn expected(source: &Facts, result: &Facts, plan: &Plan) -> Facts {
    let mut facts = source.clone();
    // Of its own a partitioned table has these, or has none.
    facts.oid = result.oid;
    facts.kind = "p".to_owned();
    facts.access_method = result.access_method.clone();
    if facts.is_unlogged() {
        // Its partitions are.
        facts.persistence = "p".to_owned();
    }
    facts.has_dropped_columns = false;
    facts.is_inherited = true;
    facts.options.clear();
    // Columns that were dropped are gone for good: the rest moves up.
    let places: Vec<i16> = facts.columns.iter().map(|column| column.attnum).collect();
    let moved = |attnum: i16| -> i16 {
        let place = places.iter().position(|other| *other == attnum);
        place
            .and_then(|place| i16::try_from(place + 1).ok())
            .unwrap_or(attnum)
    };
    for index in &mut facts.indexes {
        // Its partitions have the mark.
        index.is_clustered = false;
        if index.is_unique && lacks(index, plan.key.attnum) {
            index.key_attnums.push(plan.key.attnum);
            let column = super::names::quote_ident(&plan.key.column);
            index.columns.push(column);
        }
        for attnum in &mut index.key_attnums {
            *attnum = moved(*attnum);
        }
    }
    for column in &mut facts.columns {
        column.attnum = moved(column.attnum);
    }
    if plan.guard.is_some() {
        // They point at the guard, and are compared when they begin to act.
        facts.dependents.incoming_keys.clear();
    }
    let is_settled = successors_made_in_the_swap(&facts.dependents.incoming_keys);
    for key in &mut facts.dependents.incoming_keys {
        if !is_settled {
            // Its name and its comment it gets, and it is validated, after the swap.
            key.name = key.name_until_settled();
            key.comment = None;
            key.is_valid = false;
        }
        for attnum in &mut key.referenced {
            *attnum = moved(*attnum);
        }
    }
    for key in &mut facts.dependents.self_keys {
        for attnum in key.columns.iter_mut().chain(&mut key.referenced) {
            *attnum = moved(*attnum);
        }
        if plan.guard.is_some() {
            // They point at the guard; what their texts name is compared.
            key.columns.clear();
            key.referenced.clear();
        }
    }
    facts
}

/// A definition without what is another's by nature: OIDs, and what only the source was asked for.
fn comparable(facts: &Facts) -> Facts {
    let mut facts = facts.definition();
    facts.owner_may_read_and_capture = true;
    facts.owner_may_set_sequences = true;
    for column in &mut facts.columns {
        for sequence in &mut column.sequences {
            sequence.oid = 0;
        }
    }
    without_oids(&mut facts.dependents);
    texts(&mut facts).for_each(|text| *text = bare(text));
    facts
}

/// What PostgreSQL may write down otherwise when it has read it.
fn texts(facts: &mut Facts) -> impl Iterator<Item = &mut String> {
    let defaults = (facts.columns.iter_mut()).flat_map(|one| &mut one.default_text);
    let checks = facts.checks.iter_mut().map(|one| &mut one.definition);
    let indexes =
        (facts.indexes.iter_mut()).flat_map(|one| one.columns.iter_mut().chain(&mut one.predicate));
    let hanging = &mut facts.dependents;
    let triggers = hanging.triggers.iter_mut().map(|one| &mut one.rest);
    let policies =
        (hanging.policies.iter_mut()).flat_map(|one| one.using.iter_mut().chain(&mut one.check));
    let policies_elsewhere = (hanging.policies_elsewhere.iter_mut())
        .flat_map(|one| one.using.iter_mut().chain(&mut one.check));
    let rules = hanging.rules.iter_mut().map(|one| &mut one.definition);
    let rules_elsewhere = (hanging.rules_elsewhere.iter_mut()).map(|one| &mut one.definition);
    let views = hanging.views.iter_mut().map(|one| &mut one.definition);
    let functions = hanging.functions.iter_mut().map(|one| &mut one.definition);
    let row_functions = (hanging.row_functions.iter_mut()).map(|one| &mut one.definition);
    let statistics = hanging.statistics.iter_mut().map(|one| &mut one.columns);
    let filters = (hanging.publications.iter_mut()).flat_map(|one| &mut one.filter);
    let own = defaults.chain(checks).chain(indexes).chain(triggers);
    own.chain(policies)
        .chain(policies_elsewhere)
        .chain(rules)
        .chain(rules_elsewhere)
        .chain(views)
        .chain(functions)
        .chain(row_functions)
        .chain(statistics)
        .chain(filters)
}

fn without_oids(dependents: &mut Dependents) {
    dependents.triggers.iter_mut().for_each(|one| one.oid = 0);
    dependents.policies.iter_mut().for_each(|one| one.oid = 0);
    dependents.rules.iter_mut().for_each(|one| one.oid = 0);
    dependents.statistics.iter_mut().for_each(|one| one.oid = 0);
    dependents
        .publications
        .iter_mut()
        .for_each(|one| one.oid = 0);
    dependents
        .row_functions
        .iter_mut()
        .for_each(|one| one.oid = 0);
    dependents.casts.iter_mut().for_each(|one| one.oid = 0);
    dependents
        .foreign_keys
        .iter_mut()
        .for_each(|one| one.oid = 0);
    dependents
        .incoming_keys
        .iter_mut()
        .for_each(|one| one.oid = 0);
    for key in &mut dependents.self_keys {
        key.oid = 0;
        // Those of the partitions.
        key.parts.clear();
    }
    // A replaced view has another rule.
    dependents.views.iter_mut().for_each(|one| one.oid = 0);
}
