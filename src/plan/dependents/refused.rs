//! What hangs on a table and cannot be made again, or not by the one who would have to.

use super::{ForeignKey, IncomingKey, SelfKey, routines};
use crate::plan::blockers::{Blocker, lacks};
use crate::plan::capture::TRIGGERS;
use crate::plan::facts::{Extra, Facts, Index};
use crate::plan::names::QualifiedName;

/// Who is to make it again may not.
pub fn must_create(kind: &str, name: &str, owner: &str, schema: &str) -> Blocker {
    Blocker::with_hint(
        format!(
            "{kind} {name} reads the table, and its owner \"{owner}\" may not create objects in schema \"{schema}\", as replacing it takes."
        ),
        "GRANT CREATE ON SCHEMA … to that owner.",
    )
}

/// All of it, in a fixed order.
pub fn refused(facts: &Facts) -> Vec<Blocker> {
    let dependents = &facts.dependents;
    let mut found = Vec::new();
    for trigger in &dependents.triggers {
        if trigger.for_each_row && trigger.has_transition_tables {
            found.push(Blocker::with_hint(
                format!(
                    "Trigger \"{}\" is FOR EACH ROW and has transition tables, which no release of PostgreSQL allows on a partition.",
                    trigger.name
                ),
                "Make it FOR EACH STATEMENT.",
            ));
        }
        if TRIGGERS.contains(&trigger.name.as_str()) {
            found.push(Blocker::with_hint(
                format!(
                    "Trigger \"{}\" has a name that the conversion needs for its own.",
                    trigger.name
                ),
                "ALTER TRIGGER … RENAME TO ….",
            ));
        }
        if !trigger.owner_may_execute {
            found.push(Blocker::with_hint(
                format!(
                    "The table's owner \"{}\" may not execute function {}, and so cannot make trigger \"{}\" again.",
                    facts.owner_name, trigger.function, trigger.name
                ),
                "GRANT EXECUTE ON FUNCTION … to the owner.",
            ));
        }
    }
    for view in &dependents.views {
        let name = view.qualified_name().to_string();
        if view.is_temporary {
            found.push(Blocker::with_hint(
                format!(
                    "Temporary view \"{}\" reads the table; only its session can replace it.",
                    view.name
                ),
                "DROP VIEW …, or end that session.",
            ));
        } else if !view.is_materialized && !view.owner_may_create {
            found.push(must_create("View", &name, &view.owner_name, &view.schema));
        }
    }
    found.extend(unmakeable(facts));
    for function in &dependents.functions {
        if !function.owner_may_create {
            found.push(must_create(
                "Function",
                &function.name,
                &function.owner_name,
                &function.schema,
            ));
        }
    }
    found.extend(routines::refused(dependents, &facts.owner_name));
    found.extend(readers_of_only(facts));
    for statistics in &dependents.statistics {
        if statistics.owner != facts.owner {
            found.push(Blocker::with_hint(
                format!(
                    "Statistics object {} does not belong to the table's owner \"{}\".",
                    statistics.qualified_name(),
                    facts.owner_name
                ),
                "ALTER STATISTICS … OWNER TO ….",
            ));
        }
    }
    for key in &dependents.foreign_keys {
        found.extend(refused_key(&facts.owner_name, key));
    }
    for key in &dependents.self_keys {
        found.extend(refused_self_key(facts, key));
    }
    for key in &dependents.incoming_keys {
        found.extend(refused_incoming_key(key));
    }
    for publication in &dependents.publications {
        if facts.is_unlogged() {
            // Nothing is sent of it, nor of its partitions.
            found.extend(publication.via_root.then(|| {
                Blocker::with_hint(
                    format!(
                        "Publication \"{}\" leaves unlogged tables out; the partitioned table, which cannot be unlogged, would be in it, without its rows.",
                        publication.name
                    ),
                    format!(
                        "ALTER TABLE … SET LOGGED, or ALTER PUBLICATION \"{}\" SET (publish_via_partition_root = false).",
                        publication.name
                    ),
                )
            }));
            continue;
        }
        if !publication.via_root {
            found.push(Blocker::with_hint(
                format!(
                    "Publication \"{}\" would send changes under the names of the partitions, which its subscribers do not have.",
                    publication.name
                ),
                format!(
                    "ALTER PUBLICATION \"{}\" SET (publish_via_partition_root = true).",
                    publication.name
                ),
            ));
        }
        if !publication.owner_may_act_as_owner {
            found.push(Blocker::with_hint(
                format!(
                    "The owner \"{}\" of publication \"{}\" may not add the table to it, which only an owner of both may.",
                    publication.owner_name, publication.name
                ),
                "ALTER PUBLICATION … OWNER TO ….",
            ));
        }
    }
    let subscriptions = dependents.subscriptions.iter();
    found.extend(
        subscriptions
            .filter(|one| !one.is_ready)
            .map(|subscription| {
                Blocker::with_hint(
                    format!(
                        "Subscription \"{}\" has not yet copied the table.",
                        subscription.name
                    ),
                    "Wait until pg_subscription_rel.srsubstate is \"r\".",
                )
            }),
    );
    found
}

/// What its owner, who has to make it again, cannot make: found now, not when the swap tries it.
fn unmakeable(facts: &Facts) -> Vec<Blocker> {
    let dependents = &facts.dependents;
    let functions = dependents.functions.iter();
    let functions = functions.map(|one| ("Function", &one.name, &one.owner_name, &one.obstacle));
    let row_functions = dependents.row_functions.iter();
    let row_functions =
        row_functions.map(|one| (one.kind(), &one.name, &one.owner_name, &one.obstacle));
    let obstacles = functions
        .chain(row_functions)
        .filter_map(|(kind, name, owner, obstacle)| {
            let obstacle = obstacle.as_ref()?;
            Some(Blocker::with_hint(
                format!("{kind} {name} must be made again by its owner \"{owner}\", who cannot: {obstacle}."),
                format!("ALTER {} … OWNER TO …, or grant what is lacking.", kind.to_uppercase()),
            ))
        });
    let on = |schema: &String, relation: &String, name: &String| {
        let relation = QualifiedName::new(schema, relation);
        format!("{name} on {relation}")
    };
    let views = dependents.views.iter();
    let views = views.map(|one| ("View", one.qualified_name().to_string(), &one.unreachable));
    let functions = dependents.functions.iter();
    let functions = functions.map(|one| ("Function", one.name.clone(), &one.unreachable));
    let row_functions = dependents.row_functions.iter();
    let row_functions = row_functions.map(|one| (one.kind(), one.name.clone(), &one.unreachable));
    let rules = dependents.rules_elsewhere.iter().map(|one| {
        let name = on(&one.schema, &one.relation_name, &one.name);
        ("Rule", name, &one.unreachable)
    });
    let policies = dependents.policies_elsewhere.iter().map(|one| {
        let name = on(&one.schema, &one.relation_name, &one.name);
        ("Policy", name, &one.unreachable)
    });
    let all = views.chain(functions).chain(row_functions);
    let unreachable = all
        .chain(rules)
        .chain(policies)
        .filter_map(|(kind, name, schema)| {
            let schema = schema.as_ref()?;
            Some(Blocker::with_hint(
                format!("{kind} {name} must be made again by its owner, who may not use schema \"{schema}\", which it names."),
                "GRANT USAGE ON SCHEMA … to that owner.",
            ))
        });
    obstacles.chain(unreachable).collect()
}

/// What hangs on the table and stands in the way of partitioning it by the column with that attribute number, in a fixed order.
///
/// PostgreSQL refuses each update and deletion of rows whose identity a publication leaves out.
pub fn refused_by_publications(facts: &Facts, key: i16) -> Vec<Blocker> {
    let is_identity = |index: &Index| match facts.replica_identity.as_str() {
        "d" => index.is_primary,
        "i" => facts.replica_index.as_ref() == Some(&index.name),
        _ => false,
    };
    let mut indexes = facts.indexes.iter();
    if !indexes.any(|index| is_identity(index) && lacks(index, key)) {
        return Vec::new();
    }
    let mut columns = facts.columns.iter();
    let Some(key) = columns.find(|column| column.attnum == key) else {
        return Vec::new();
    };
    let publications = facts.dependents.publications.iter();
    let leaves_out = publications.filter(|publication| {
        let columns = publication.columns.as_ref();
        publication.sends_changes && columns.is_some_and(|columns| !columns.contains(&key.name))
    });
    leaves_out
        .map(|publication| {
            Blocker::with_hint(
                format!(
                    "Publication \"{}\" leaves out column \"{}\", which must become part of the replica identity: updates and deletions would be refused.",
                    publication.name, key.name
                ),
                "ALTER PUBLICATION … SET TABLE …, with that column in the list, or SET (publish = 'insert, truncate').",
            )
        })
        .collect()
}

/// What keeps a foreign key from being made again, by the owner of its table.
pub fn refused_key(owner: &str, key: &ForeignKey) -> Vec<Blocker> {
    let mut found = Vec::new();
    let name = &key.name;
    let points_at = key.points_at();
    if key.needs_validation {
        found.push(not_valid(name));
    }
    if !key.acts {
        found.push(disabled(name));
    }
    if key.is_to_unlogged {
        found.push(Blocker::with_hint(
            format!(
                "Foreign key \"{name}\" points at unlogged table {points_at}, as that of a partitioned table cannot, which is itself not unlogged."
            ),
            "ALTER TABLE … SET LOGGED, of the one that it points at.",
        ));
    }
    if !key.owner_may_reference {
        found.push(Blocker::with_hint(
            format!(
                "The table's owner \"{owner}\" may not refer to table {points_at}, and so cannot make foreign key \"{name}\" again."
            ),
            "GRANT REFERENCES ON TABLE …, and USAGE ON SCHEMA …, to the owner.",
        ));
    }
    found
}

/// What keeps a foreign key of the table to itself from being made again.
pub fn refused_self_key(facts: &Facts, key: &SelfKey) -> Vec<Blocker> {
    let mut found = Vec::new();
    let name = &key.name;
    if key.needs_validation {
        found.push(not_valid(name));
    }
    if !key.acts {
        found.push(disabled(name));
    }
    if !key.owner_may_reference {
        found.push(Blocker::with_hint(
            format!(
                "The table's owner \"{}\" may not refer to the table, and so cannot make foreign key \"{name}\" again.",
                facts.owner_name
            ),
            "GRANT REFERENCES ON TABLE … to the owner.",
        ));
    }
    found
}

fn not_valid(name: &str) -> Blocker {
    Blocker::with_hint(
        format!(
            "Foreign key \"{name}\" is NOT VALID, as that of a partitioned table can be since PostgreSQL 18 only."
        ),
        "ALTER TABLE … VALIDATE CONSTRAINT …, while readers and writers go on.",
    )
}

fn disabled(name: &str) -> Blocker {
    Blocker::with_hint(
        format!(
            "Triggers of foreign key \"{name}\" are disabled, or fire otherwise than when they were made."
        ),
        "ALTER TABLE … ENABLE TRIGGER ALL, on its table and on the one that it points at.",
    )
}

/// What keeps a foreign key of another table from being made again, by that table's owner.
fn refused_incoming_key(key: &IncomingKey) -> Vec<Blocker> {
    let mut found = Vec::new();
    let (name, table) = (&key.name, key.table());
    if !key.acts {
        found.push(Blocker::with_hint(
            format!("Triggers of foreign key \"{name}\" of table {table} are disabled, or fire otherwise than when they were made."),
            "ALTER TABLE … ENABLE TRIGGER ALL, on its table and on the one that it points at.",
        ));
    }
    if !key.owner_may_reference {
        found.push(Blocker::with_hint(
            format!(
                "The owner \"{}\" of table {table} may not refer to the table, and so cannot make foreign key \"{name}\" again.",
                key.owner_name
            ),
            "GRANT REFERENCES ON TABLE …, and USAGE ON SCHEMA …, to that owner.",
        ));
    }
    found
}

/// What says ONLY of the table, which of a partitioned table is no row at all.
fn readers_of_only(facts: &Facts) -> Vec<Blocker> {
    let only = format!("ONLY {}", facts.qualified_name());
    let dependents = &facts.dependents;
    let views = dependents.views.iter().map(|view| {
        (
            "View",
            view.qualified_name().to_string(),
            vec![&view.definition],
        )
    });
    let functions = dependents.functions.iter().map(|function| {
        (
            "Function",
            function.name.clone(),
            vec![&function.definition],
        )
    });
    let row_functions = dependents.row_functions.iter().map(|function| {
        (
            function.kind(),
            function.name.clone(),
            vec![&function.definition],
        )
    });
    let rules = dependents
        .rules
        .iter()
        .map(|rule| ("Rule", rule.name.clone(), vec![&rule.definition]));
    let rules_elsewhere = dependents
        .rules_elsewhere
        .iter()
        .map(|rule| ("Rule", rule.name.clone(), vec![&rule.definition]));
    let policies = dependents.policies.iter().map(|policy| {
        let texts = policy.using.iter().chain(&policy.check).collect();
        ("Policy", policy.name.clone(), texts)
    });
    let policies_elsewhere = dependents.policies_elsewhere.iter().map(|policy| {
        let texts = policy.using.iter().chain(&policy.check).collect();
        ("Policy", policy.name.clone(), texts)
    });
    views
        .chain(functions)
        .chain(row_functions)
        .chain(rules)
        .chain(rules_elsewhere)
        .chain(policies)
        .chain(policies_elsewhere)
        .filter(|(_, _, texts)| texts.iter().any(|text| says(text, &only)))
        .map(|(kind, name, _)| {
            Blocker::with_hint(
                format!("{kind} {name} reads or writes ONLY this table, which of a partitioned table is not a single row."),
                "Make it again without ONLY.",
            )
        })
        .collect()
}

/// Whether a text has those words, and not only as the beginning of a longer name.
fn says(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(place, _)| {
        let next = text[place + words.len()..].chars().next();
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_' || next == '$')
    })
}

/// What is on the table, or depends on it, and nobody can make again.
pub fn refused_extra(extra: &Extra) -> Blocker {
    let what = &extra.description;
    let after = "Drop it, and make it again when the table is converted.";
    match extra.kind.as_str() {
        "table column" | "composite type column" | "type" | "domain" if extra.by_type => {
            Blocker::with_hint(
                format!(
                    "The values of {what} are rows of the table: each names the row type, and that of a partitioned table is another, in every release of PostgreSQL."
                ),
                "CREATE TYPE … AS (…) with the same columns, and ALTER … TYPE … to that.",
            )
        }
        "view column" | "materialized view column" if extra.by_type => Blocker::with_hint(
            format!(
                "{what} holds whole rows of the table: the row type of a partitioned table is another, and a column of a view cannot change its type.",
                what = capitalised(what)
            ),
            after,
        ),
        _ if extra.by_type => Blocker::with_hint(
            format!(
                "{what} names the table's row type: that of a partitioned table is another, and there is no statement that makes it name that instead.",
                what = capitalised(what)
            ),
            after,
        ),
        "extension" => Blocker::with_hint(
            format!(
                "{what} is not carried over: the extension's script makes a plain table, and that is what a restored dump would have.",
                what = capitalised(what)
            ),
            "ALTER EXTENSION … DROP …, if its script does not make it; where it does, a dump could not be restored.",
        ),
        "use of an identity sequence" => Blocker::with_hint(
            format!(
                "{what} uses the sequence of an identity column, and another one takes its place, since it cannot change hands.",
                what = capitalised(what)
            ),
            "Give it a sequence of its own.",
        ),
        _ => Blocker::fact(format!(
            "The conversion cannot carry this yet: {what} ({}).",
            extra.kind
        )),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
