//! The guard of a key that loses its uniqueness: a plain table that holds the key of every row, and the value
//! of the partition column that its row lies at.
//!
//! Its primary key is the old one, so that no two partitions can hold rows of the same key, and foreign keys
//! of other tables can point at it. Its own foreign key points at the row, and follows it: PostgreSQL itself
//! takes a key away with its row, and lets it go along when the row moves. What is left to do is to note the
//! keys of new rows, by a trigger. Why that is right: docs/internals/guard.md.

use super::blockers::{self, Blocker};
use super::dependents::{self, ForeignKey, SelfKey, Trigger};
use super::facts::{Column, Facts, Index};
use super::lock::{Lock, Mode};
use super::names::{Names, QualifiedName, quote_ident};
use super::phase::Phase;
use super::sql::Sql;
use super::step::Step;
use serde::{Deserialize, Serialize};

/// What its triggers are called, on the partitioned table and on itself. Triggers fire in the order of their
/// names: the key must be there before other triggers insert what points at it.
pub const TRIGGER: &str = "!unique_guard";

/// The guard of the key that rows are known by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// Also of the function that its triggers call.
    pub name: QualifiedName,
    /// The columns of the key, by their numbers on the source.
    pub attnums: Vec<i16>,
    /// Their names, then that of the partition column.
    pub columns: Vec<String>,
    /// What makes it, empty, when the twin is made.
    pub prepare: Vec<Step>,
    /// What makes its foreign key to the twin, when all indexes of that are valid.
    pub link: Step,
    /// The name of that foreign key.
    pub link_name: String,
}

impl Guard {
    /// The statement that notes the keys of one partition of the twin.
    pub fn fill(&self, leaf: &QualifiedName) -> String {
        // Between rounds of catching up a row that has moved may be there twice.
        Sql::template(
            "INSERT INTO {guard} ({columns}) SELECT {columns} FROM ONLY {leaf} ON CONFLICT DO NOTHING",
        )
        .name("guard", &self.name)
        .name("leaf", leaf)
        .trusted("columns", &listed(&self.columns))
        .build()
    }

    /// What validates its foreign key, after the swap.
    pub fn validate(&self, facts: &Facts) -> Step {
        let statement = Sql::template("ALTER TABLE {guard} VALIDATE CONSTRAINT {name}")
            .name("guard", &self.name)
            .ident("name", &self.link_name);
        Step::new(Phase::Reversible, statement.build())
            .locks(Mode::ShareUpdateExclusive, &self.name)
            .lock(Lock::on(Mode::RowShare, &facts.qualified_name()).with_partitions())
    }

    /// Keys that have come meanwhile, and cannot be made to point at it.
    pub fn refused_meanwhile(&self, facts: &Facts) -> Vec<Blocker> {
        let mut found = of_keys(facts, &self.attnums);
        found.extend(of_triggers(facts));
        found
    }

    /// The body of its function, by the foreign keys that the table has by now.
    pub fn body(&self, facts: &Facts) -> Option<String> {
        let columns = Columns::of_guard(&self.columns)?;
        let index = facts.identity()?;
        Some(body(facts, index, &self.name, &columns))
    }

    /// What gives its function another body.
    pub fn with_body(&self, body: &str) -> String {
        function("CREATE OR REPLACE FUNCTION", &self.name, body)
    }

    /// A definition of the guarded table without what the guard has put on it: what points from there at the guard
    /// points at the table.
    pub fn without(&self, facts: &Facts) -> Facts {
        let mut facts = facts.clone();
        let dependents = &mut facts.dependents;
        dependents.triggers.retain(|one| one.name != TRIGGER);
        dependents
            .incoming_keys
            .retain(|key| key.table() != self.name);
        let (own, others): (Vec<ForeignKey>, Vec<ForeignKey>) =
            std::mem::take(&mut dependents.foreign_keys)
                .into_iter()
                .partition(|key| key.points_at() == self.name);
        dependents.foreign_keys = others;
        let own = own.into_iter().map(|key| self.as_to_itself(key));
        dependents.self_keys.extend(own);
        facts
    }

    /// Which columns it is about, its texts tell.
    fn as_to_itself(&self, key: ForeignKey) -> SelfKey {
        let name = self.name.to_string();
        let (head, rest) = (key.definition.split_once(&format!(" REFERENCES {name}(")))
            .unwrap_or((&key.definition, ""));
        SelfKey {
            head: format!("{head} REFERENCES "),
            rest: format!("({rest}"),
            columns: Vec::new(),
            referenced: Vec::new(),
            parts: Vec::new(),
            oid: key.oid,
            name: key.name,
            needs_validation: key.needs_validation,
            acts: key.acts,
            owner_may_reference: key.owner_may_reference,
            comment: key.comment,
        }
    }
}

/// Makes the plan of the guard; there is nothing that [`refused`] tells.
pub fn plan(facts: &Facts, key: &Column, twin: &QualifiedName, names: &mut Names) -> Option<Guard> {
    let index = guarded(facts, key)?;
    let name = QualifiedName::new(&facts.schema, names.derive(&index.name, "guard"));
    let primary_key = names.derive(&name.name, "pkey");
    let link_name = names.derive(&name.name, "fkey");
    let columns = Columns::of(facts, index, key);
    let link = Sql::template(
        "ALTER TABLE {guard} ADD CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {twin} ({columns}) \
         ON UPDATE CASCADE ON DELETE CASCADE NOT VALID",
    )
    .name("guard", &name)
    .ident("name", &link_name)
    .name("twin", twin)
    .trusted("columns", &listed(&columns.all))
    .build();
    Some(Guard {
        prepare: steps(facts, index, twin, &name, &primary_key, &columns),
        link: Step::new(Phase::Swapping, link)
            .locks_new(Mode::ShareRowExclusive, &name)
            .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions())
            .note("reads no row; validated after the swap"),
        link_name,
        attnums: index.key_attnums.clone(),
        columns: columns.all,
        name,
    })
}

/// The columns of a guard, by their names.
struct Columns {
    of_key: Vec<String>,
    /// The partition column.
    key: String,
    /// Those of the key, then that.
    all: Vec<String>,
}

impl Columns {
    fn of(facts: &Facts, index: &Index, key: &Column) -> Columns {
        let of_key: Vec<String> = index
            .key_attnums
            .iter()
            .filter_map(|attnum| facts.column_at(*attnum))
            .map(|column| column.name.clone())
            .collect();
        Columns {
            all: of_key.iter().chain([&key.name]).cloned().collect(),
            key: key.name.clone(),
            of_key,
        }
    }

    /// By all of them.
    fn of_guard(all: &[String]) -> Option<Columns> {
        let (key, of_key) = all.split_last()?;
        Some(Columns {
            of_key: of_key.to_vec(),
            key: key.clone(),
            all: all.to_vec(),
        })
    }
}

fn steps(
    facts: &Facts,
    index: &Index,
    twin: &QualifiedName,
    guard: &QualifiedName,
    primary_key: &str,
    columns: &Columns,
) -> Vec<Step> {
    let made = |statement: Sql| Step::new(Phase::Prepared, statement.build());
    let source = facts.qualified_name();
    let body = body(facts, index, guard, columns);
    let comment = format!(
        "Holds the key of every row of {source}, of whatever partition: keeps \"{}\" unique, and foreign keys point at it.",
        index.name
    );
    vec![
        // Types, collations and all: as the columns are.
        made(
            Sql::template(
                "CREATE {unlogged}TABLE {guard} AS SELECT {columns} FROM ONLY {source} WITH NO DATA",
            )
            // What a crash takes from the table, it takes from the guard.
            .trusted("unlogged", if facts.is_unlogged() { "UNLOGGED " } else { "" })
            .name("guard", guard)
            .trusted("columns", &listed(&columns.all))
            .name("source", &source),
        )
        .locks(Mode::AccessShare, &source),
        made(
            Sql::template(
                "ALTER TABLE {guard} ADD CONSTRAINT {name} PRIMARY KEY ({columns})",
            )
            .name("guard", guard)
            .ident("name", primary_key)
            .trusted("columns", &listed(&columns.of_key)),
        )
        .locks_new(Mode::AccessExclusive, guard),
        // By it the keys of a partition are found that is to be retired.
        made(
            Sql::template("CREATE INDEX ON {guard} ({key})")
                .name("guard", guard)
                .ident("key", &columns.key),
        )
        .locks_new(Mode::Share, guard),
        made(
            Sql::template("COMMENT ON TABLE {guard} IS {comment}")
                .name("guard", guard)
                .literal("comment", &comment),
        )
        .locks_new(Mode::ShareUpdateExclusive, guard),
        Step::new(
            Phase::Prepared,
            function("CREATE FUNCTION", guard, &body),
        ),
        made(
            Sql::template("REVOKE ALL ON FUNCTION {guard}() FROM PUBLIC").name("guard", guard),
        ),
        made(
            Sql::template(
                "CREATE TRIGGER {name} AFTER INSERT ON {twin} FOR EACH ROW EXECUTE FUNCTION {guard}()",
            )
            .ident("name", TRIGGER)
            .name("twin", twin)
            .name("guard", guard),
        )
        .lock(Lock::on_new(Mode::ShareRowExclusive, twin).with_partitions()),
        made(
            Sql::template(
                "CREATE TRIGGER {name} BEFORE UPDATE ON {guard} FOR EACH ROW \
                 WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION {guard}()",
            )
            .ident("name", TRIGGER)
            .name("guard", guard)
            .trusted("old", &of("OLD", &columns.of_key))
            .trusted("new", &of("NEW", &columns.of_key)),
        )
        .locks_new(Mode::ShareRowExclusive, guard),
    ]
}

fn function(create: &'static str, guard: &QualifiedName, body: &str) -> String {
    Sql::template(
        "{create} {guard}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp SET row_security = off AS {body}",
    )
    .trusted("create", create)
    .name("guard", guard)
    .literal("body", body)
    .build()
}

/// What the triggers do, in PL/pgSQL. Each statement has a snapshot of its own: a row is looked for when its
/// key is locked, so that whoever has put it there has committed.
fn body(facts: &Facts, index: &Index, guard: &QualifiedName, columns: &Columns) -> String {
    let shown: Vec<String> = columns
        .of_key
        .iter()
        .map(|column| format!("NEW.{}", quote_ident(column)))
        .collect();
    Sql::template(BODY)
        .name("guard", guard)
        .name("table", &facts.qualified_name())
        .trusted("columns", &listed(&columns.all))
        .trusted("values", &of("NEW", &columns.all))
        .trusted("is_new_key", &equal("g", "NEW", &columns.of_key))
        .trusted("is_new_row", &equal("g", "NEW", &columns.all))
        .trusted("is_held", &equal("t", "held", &columns.all))
        .ident("key", &columns.key)
        .literal(
            "message",
            &format!(
                "duplicate key value violates unique constraint {}",
                double_quoted(&index.name)
            ),
        )
        .literal(
            "detail",
            &format!(
                "Key ({})=({}) already exists.",
                listed(&columns.of_key).replace('%', "%%"),
                vec!["%s"; columns.of_key.len()].join(", ")
            ),
        )
        .literal(
            "moved",
            &format!(
                "cannot change the key of a row of table {} and move it to another partition in one UPDATE",
                double_quoted(&facts.name)
            ),
        )
        .trusted("shown", &shown.join(", "))
        .trusted("ahead", &noted_ahead(facts, guard, columns))
        .literal("schema_name", &facts.schema)
        .literal("table_name", &facts.name)
        .literal("constraint_name", &index.name)
        .build()
}

const BODY: &str = "
DECLARE
  held record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- Where its row lies now it has been noted as a new one already.
    PERFORM FROM {guard} AS g WHERE {is_new_row};
    IF FOUND THEN
      RAISE feature_not_supported USING
        MESSAGE = {moved}, HINT = 'Use two UPDATEs, one after the other.';
    END IF;
    RETURN NEW;
  END IF;
  LOOP
    INSERT INTO {guard} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;
    EXIT WHEN FOUND;
    SELECT g.* INTO held FROM {guard} AS g WHERE {is_new_key} FOR NO KEY UPDATE;
    CONTINUE WHEN NOT FOUND;
    PERFORM FROM {table} AS t WHERE {is_held};
    IF FOUND THEN
      RAISE unique_violation USING
        MESSAGE = {message}, DETAIL = format({detail}, {shown}),
        SCHEMA = {schema_name}, TABLE = {table_name}, CONSTRAINT = {constraint_name};
    END IF;
    -- The row that had it has just left its partition, for this one; or what points at this one came first.
    UPDATE {guard} AS g SET {key} = NEW.{key} WHERE {is_new_key};
    EXIT;
  END LOOP;
{ahead}  RETURN NULL;
END
";

/// Notes, for each foreign key of the table to itself, the key of the row that a new one points at, where that row has
/// come in the same statement, and its turn comes later: the foreign key is looked after right behind this row. Where
/// that row lies is said when its turn comes.
fn noted_ahead(facts: &Facts, guard: &QualifiedName, columns: &Columns) -> String {
    let keys = facts.dependents.self_keys.iter();
    let texts = keys.filter_map(|key| {
        let pairs = key.columns.iter().zip(&key.referenced);
        let pairs: Option<Vec<(&Column, &Column)>> = pairs
            .map(|(own, referenced)| Some((facts.column_at(*own)?, facts.column_at(*referenced)?)))
            .collect();
        // Whether an operator is found for another type, the function would know only when it is called.
        let pairs = pairs?;
        let is_known = |(own, _): &(&Column, &Column)| own.type_oid < FIRST_OWN_OBJECT;
        if pairs.is_empty() || !pairs.iter().all(is_known) {
            return None;
        }
        let (own, referenced): (Vec<String>, Vec<String>) = pairs
            .into_iter()
            .map(|(own, referenced)| (own.name.clone(), referenced.name.clone()))
            .unzip();
        let matches = |row: &str| {
            let compared: Vec<String> = (referenced.iter().zip(&own))
                .map(|(one, other)| {
                    format!("{row}.{} = NEW.{}", quote_ident(one), quote_ident(other))
                })
                .collect();
            compared.join(" AND ")
        };
        Some(
            Sql::template(AHEAD)
                .name("guard", guard)
                .name("table", &facts.qualified_name())
                .trusted("own", &of("NEW", &own))
                .trusted("columns", &listed(&columns.of_key))
                .trusted("found", &of("t", &columns.of_key))
                .trusted("is_held", &matches("g"))
                .trusted("is_there", &matches("t"))
                .trusted("is_new", &equal("n", "NEW", &columns.all))
                .build(),
        )
    });
    texts.collect()
}

const AHEAD: &str = "  IF ROW({own}) IS NOT NULL THEN
    PERFORM FROM {guard} AS g WHERE {is_held};
    IF NOT FOUND THEN
      -- What it points at may have come in the same statement, and be noted after it. Any other row without a key is about
      -- to go with its partition.
      INSERT INTO {guard} ({columns}) (
        SELECT {found} FROM {table} AS t WHERE {is_there}
           AND t.xmin = (SELECT n.xmin FROM {table} AS n WHERE {is_new}) FOR KEY SHARE) ON CONFLICT DO NOTHING;
    END IF;
  END IF;
";

fn double_quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn listed(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|column| quote_ident(column)).collect();
    quoted.join(", ")
}

fn of(row: &str, columns: &[String]) -> String {
    let quoted: Vec<String> = columns
        .iter()
        .map(|column| format!("{row}.{}", quote_ident(column)))
        .collect();
    quoted.join(", ")
}

fn equal(one: &str, other: &str, columns: &[String]) -> String {
    let compared: Vec<String> = columns
        .iter()
        .map(|column| quote_ident(column))
        .map(|column| format!("{one}.{column} = {other}.{column}"))
        .collect();
    compared.join(" AND ")
}

/// The key that can be guarded: by which rows are known, if it is unique only together with the partition
/// column from then on.
fn guarded<'a>(facts: &'a Facts, key: &Column) -> Option<&'a Index> {
    facts
        .identity()
        .filter(|index| blockers::lacks(index, key.attnum))
}

fn is_of(referenced: &[i16], guarded: &[i16]) -> bool {
    referenced.len() == guarded.len() && guarded.iter().all(|attnum| referenced.contains(attnum))
}

/// `FirstNormalObjectId`: what is below comes with the server, and its operators are in pg_catalog.
const FIRST_OWN_OBJECT: u32 = 16_384;

/// Whether a guard is what a foreign key needs that cannot be carried otherwise.
pub fn helps(facts: &Facts, key: &Column) -> bool {
    guarded(facts, key).is_some() && refused(facts, key).is_empty()
}

/// What stands in the way of a conversion, if there is a guard.
pub fn instead(mut found: Vec<Blocker>, facts: &Facts, key: &Column) -> Vec<Blocker> {
    let lost = dependents::refused_by_key(facts, key.attnum);
    found.retain(|blocker| !lost.contains(blocker));
    found.extend(refused(facts, key));
    found
}

/// What stands in the way of a guard, and of foreign keys beside it.
pub fn refused(facts: &Facts, key: &Column) -> Vec<Blocker> {
    let Some(index) = guarded(facts, key) else {
        return vec![Blocker::with_hint(
            match facts.identity() {
                Some(index) => format!(
                    "Key \"{}\" contains the partition column, and needs no unique_guard.",
                    index.name
                ),
                None => "There is no primary key, or other unique index over columns that are NOT NULL, for unique_guard to guard.".to_owned(),
            },
            "Leave unique_guard out.",
        )];
    };
    let mut found = of_index(facts, index);
    found.extend(of_state(facts, key));
    found.extend(of_keys(facts, &index.key_attnums));
    found.extend(of_triggers(facts));
    found
}

fn of_triggers(facts: &Facts) -> Vec<Blocker> {
    let triggers = facts.dependents.triggers.iter();
    triggers
        .filter(|trigger| is_before_ours(trigger))
        .map(|trigger| {
            Blocker::with_hint(
                format!(
                    "Trigger \"{}\" would fire before that of the guard, when the key of a new row is not there yet.",
                    trigger.name
                ),
                "ALTER TRIGGER … RENAME TO ….",
            )
        })
        .collect()
}

fn is_before_ours(trigger: &Trigger) -> bool {
    let is_after_insert = trigger.for_each_row
        && trigger.event.starts_with("AFTER")
        && trigger.event.contains("INSERT");
    trigger.name == TRIGGER || (is_after_insert && trigger.name.as_str() < TRIGGER)
}

fn of_index(facts: &Facts, index: &Index) -> Vec<Blocker> {
    let mut found = Vec::new();
    let is_deferrable = index
        .constraint
        .as_ref()
        .is_some_and(|constraint| constraint.deferrable);
    if is_deferrable || !index.immediate {
        found.push(Blocker::with_hint(
            format!(
                "Key \"{}\" is deferrable, which a guard is not.",
                index.name
            ),
            "Make it again without DEFERRABLE.",
        ));
    }
    let columns = index.key_attnums.iter().zip(&index.columns);
    for (attnum, written) in columns {
        let Some(column) = facts.column_at(*attnum) else {
            continue;
        };
        if *written != quote_ident(&column.name) {
            found.push(Blocker::fact(format!(
                "Index \"{}\" has a collation, operator class or order of its own, which a guard has not.",
                index.name
            )));
        }
        if column.type_oid >= FIRST_OWN_OBJECT {
            found.push(Blocker::fact(format!(
                "Column \"{}\" of key \"{}\" is of type {}, which does not come with PostgreSQL; a guard cannot compare it.",
                column.name, index.name, column.type_name
            )));
        }
    }
    found
}

fn of_state(facts: &Facts, key: &Column) -> Vec<Blocker> {
    let mut found = Vec::new();
    let mut refuse = |is_so: bool, fact: String, hint: &str| {
        if is_so {
            found.push(Blocker::with_hint(fact, hint));
        }
    };
    refuse(
        !key.not_null,
        format!(
            "Column \"{}\" may be null; a guard could not tell where such a row lies.",
            key.name
        ),
        "ALTER TABLE … ALTER COLUMN … SET NOT NULL.",
    );
    refuse(
        facts.force_row_security,
        "It forces row-level security upon its owner, as whom a guard looks for rows.".to_owned(),
        "ALTER TABLE … NO FORCE ROW LEVEL SECURITY.",
    );
    let dependents = &facts.dependents;
    for subscription in &dependents.subscriptions {
        refuse(
            true,
            format!(
                "Subscription \"{}\" writes to it without firing the triggers that a guard needs.",
                subscription.name
            ),
            "ALTER PUBLICATION … DROP TABLE at its publisher, then ALTER SUBSCRIPTION … REFRESH PUBLICATION.",
        );
    }
    let whole = dependents.publications.iter();
    for publication in whole.filter(|publication| !publication.names_table()) {
        refuse(
            true,
            format!(
                "Publication \"{}\" is of all tables, or of all of its schema: the guard would be in it, too, and its subscribers do not have that.",
                publication.name
            ),
            "Publish tables by name.",
        );
    }
    found
}

fn of_keys(facts: &Facts, guarded: &[i16]) -> Vec<Blocker> {
    let dependents = &facts.dependents;
    let elsewhere = |name: &str, table: &QualifiedName| {
        Blocker::fact(format!(
            "Foreign key \"{name}\" of table {table} points at other columns than those that are guarded."
        ))
    };
    let own = dependents.self_keys.iter();
    let own = own.filter_map(|key| {
        if !is_of(&key.referenced, guarded) {
            return Some(elsewhere(&key.name, &facts.qualified_name()));
        }
        facts.is_unlogged().then(|| {
            Blocker::with_hint(
                format!(
                    "Foreign key \"{}\" points from the table to itself: a partitioned table, which is not unlogged, cannot point at a guard that is.",
                    key.name
                ),
                "ALTER TABLE … SET LOGGED.",
            )
        })
    });
    let others = dependents.incoming_keys.iter().filter_map(|key| {
        let (name, table) = (&key.name, key.table());
        if !is_of(&key.referenced, guarded) {
            return Some(elsewhere(name, &table));
        }
        (key.owner != facts.owner).then(|| {
            Blocker::with_hint(
                format!(
                    "Foreign key \"{name}\" is of table {table}, whose owner \"{}\" is not that of the guard.",
                    key.owner_name
                ),
                "ALTER TABLE … OWNER TO ….",
            )
        })
    });
    own.chain(others).collect()
}

#[cfg(test)]
mod tests;
