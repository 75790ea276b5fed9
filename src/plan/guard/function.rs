//! The function that a guard's triggers call.

use super::{Columns, FIRST_OWN_OBJECT};
use crate::plan::columns::{equal, listed, of_row};
use crate::plan::facts::{Column, Facts, Index};
use crate::plan::names::QualifiedName;
use crate::plan::sql::Sql;

/// The statement that makes it.
pub fn statement(create: &'static str, guard: &QualifiedName, body: &str) -> String {
    Sql::template(
        "{create} {guard}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
         SET search_path = pg_catalog, pg_temp SET row_security = off AS {body}",
    )
    .trusted("create", create)
    .name("guard", guard)
    .literal("body", body)
    .build()
}

/// What it does, in PL/pgSQL. Each statement has a snapshot of its own: a row is looked for when its
/// key is locked, so that whoever has put it there has committed.
pub fn body(facts: &Facts, index: &Index, guard: &QualifiedName, columns: &Columns) -> String {
    Sql::template(BODY)
        .name("guard", guard)
        .name("table", &facts.qualified_name())
        .trusted("columns", &listed(&columns.all))
        .trusted("values", &of_row("NEW", &columns.all))
        .trusted("is_new_key", &equal(("g", &columns.of_key), ("NEW", &columns.of_key)))
        .trusted("is_new_row", &equal(("g", &columns.all), ("NEW", &columns.all)))
        .trusted("is_held", &equal(("t", &columns.all), ("held", &columns.all)))
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
        .trusted("shown", &of_row("NEW", &columns.of_key))
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
        let (own, referenced): (Vec<&String>, Vec<&String>) = pairs
            .into_iter()
            .map(|(own, referenced)| (&own.name, &referenced.name))
            .unzip();
        Some(
            Sql::template(AHEAD)
                .name("guard", guard)
                .name("table", &facts.qualified_name())
                .trusted("own", &of_row("NEW", &own))
                .trusted("columns", &listed(&columns.of_key))
                .trusted("found", &of_row("t", &columns.of_key))
                .trusted("is_held", &equal(("g", &referenced), ("NEW", &own)))
                .trusted("is_there", &equal(("t", &referenced), ("NEW", &own)))
                .trusted("is_new", &equal(("n", &columns.all), ("NEW", &columns.all)))
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
