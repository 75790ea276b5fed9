//! What PostgreSQL's catalog says about a table.

use crate::db;
use crate::error::Error;
use crate::pg::bounds::{OrderColumn, PartitionOrder};
use crate::pg::partition_key;
use crate::pg::relation;
use crate::pg::settings;
use crate::plan::dependents::Dependents;
use crate::plan::facts::{Extra, Facts};
use crate::plan::names::QualifiedName;
use pgrx::pg_sys;
use serde::de::DeserializeOwned;

const FACTS: &str = include_str!("sql/facts.sql");
const DEPENDENTS: &str = include_str!("sql/dependents.sql");

/// Everything the planner needs to know about a relation; `None` where it is gone.
///
/// What hangs on it is told without the texts that make it again: for those see [`whole`].
pub fn facts(relation: pg_sys::Oid) -> Result<Option<Facts>, Error> {
    Ok(facts_of(&[relation])?.pop())
}

/// As [`facts`]; fails where the relation is gone.
pub fn facts_or_gone(relation: pg_sys::Oid) -> Result<Facts, Error> {
    facts(relation)?.ok_or_else(|| Error::NoRelation {
        oid: relation.to_u32(),
    })
}

/// Everything the planner needs to know about relations, of those that are there; as [`facts`].
pub fn facts_of(relations: &[pg_sys::Oid]) -> Result<Vec<Facts>, Error> {
    read_facts(relations, false)
}

/// A relation by itself, `None` where it is gone: what hangs on it is not told, but as `extras`. To plan the query for that
/// takes 30 ms in a session that has not asked for it before.
pub fn by_itself(relation: pg_sys::Oid) -> Result<Option<Facts>, Error> {
    Ok(settings::within(&settings::AS_WRITTEN, || read_by_itself(&[relation]))?.pop())
}

/// Everything about a relation, and about what hangs on it. Also locks, as a reader would, what
/// reads the relation, and what else that reads.
pub fn whole(relation: pg_sys::Oid) -> Result<Option<Facts>, Error> {
    Ok(read_facts(&[relation], true)?.pop())
}

/// Definitions are written down alike in every session: names qualified, values in one style.
/// PostgreSQL locks a relation for that, and waits where somebody else has locked it.
fn read_facts(relations: &[pg_sys::Oid], with_texts: bool) -> Result<Vec<Facts>, Error> {
    let (mut all, dependents) = settings::within(&settings::AS_WRITTEN, || {
        let all = read_by_itself(relations)?;
        let dependents: Vec<(pg_sys::Oid, String)> = db::kept_rows(
            DEPENDENTS,
            &[relations.to_vec().into(), with_texts.into()],
            |row| Ok((row.get(1)?, row.get(2)?)),
        )?;
        Ok::<_, Error>((all, dependents))
    })?;
    for (relation, document) in dependents {
        if let Some(facts) = all.iter_mut().find(|facts| facts.oid == relation.to_u32()) {
            facts.dependents = read(&document, "what hangs on a table")?;
            let known = &facts.dependents;
            facts.extras.retain(|extra| !is_among(extra, known));
        }
    }
    Ok(all)
}

fn read_by_itself(relations: &[pg_sys::Oid]) -> Result<Vec<Facts>, Error> {
    let documents: Vec<String> =
        db::kept_rows(FACTS, &[relations.to_vec().into()], |row| row.get(1))?;
    (documents.iter())
        .map(|document| read(document, "facts of a table"))
        .collect()
}

fn read<T: DeserializeOwned>(document: &str, what: &str) -> Result<T, Error> {
    serde_json::from_str(document).map_err(|error| Error::Internal(format!("{what}: {error}")))
}

/// Whether something that depends on a table is one of these.
fn is_among(extra: &Extra, known: &Dependents) -> bool {
    let object = extra.object;
    match extra.class.as_str() {
        // What is made when the name of the type is still the source's.
        "pg_trigger" | "pg_statistic_ext" if extra.by_type => false,
        "pg_trigger" => known.triggers.iter().any(|one| one.oid == object),
        "pg_policy" => {
            known.policies.iter().any(|one| one.oid == object)
                || known.policies_elsewhere.iter().any(|one| one.oid == object)
        }
        "pg_rewrite" => {
            known.rules.iter().any(|one| one.oid == object)
                || known.rules_elsewhere.iter().any(|one| one.oid == object)
                || known.views.iter().any(|one| one.oid == object)
        }
        "pg_proc" => {
            known.functions.iter().any(|one| one.oid == object)
                || known.row_functions.iter().any(|one| one.oid == object)
        }
        "pg_cast" => known.casts.iter().any(|one| one.oid == object),
        "pg_statistic_ext" => known.statistics.iter().any(|one| one.oid == object),
        "pg_constraint" => {
            known.foreign_keys.iter().any(|one| one.oid == object)
                || (known.incoming_keys.iter())
                    .any(|one| one.oid == object || one.parts.contains(&object))
                || (known.self_keys.iter())
                    .any(|one| one.oid == object || one.parts.contains(&object))
        }
        "pg_publication_rel" => known.publications.iter().any(|one| one.oid == object),
        _ => false,
    }
}

/// The names of all relations and types of a schema: new ones must not collide with them.
pub fn taken_names(schema: &str) -> Result<Vec<String>, Error> {
    db::rows(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 \
         UNION SELECT t.typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1",
        &[schema.into()],
        |row| row.get(1),
    )
}

/// Whether a relation or type of a schema has that name.
pub fn is_taken(schema: &str, name: &str) -> Result<bool, Error> {
    db::kept_value(
        "SELECT EXISTS (SELECT FROM pg_class c WHERE c.relname = $2::name AND c.relnamespace = n.oid) \
             OR EXISTS (SELECT FROM pg_type t WHERE t.typname = $2::name AND t.typnamespace = n.oid) \
           FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1)) AS n(oid)",
        &[schema.into(), name.into()],
    )
}

/// Defaults of a partitioned table and its partitions that draw from a sequence which belongs to
/// a column of `owner`: the defaults and their sequences.
pub fn drawing_defaults(
    parent: pg_sys::Oid,
    owner: pg_sys::Oid,
) -> Result<Vec<(pg_sys::Oid, pg_sys::Oid)>, Error> {
    db::rows(
        "SELECT DISTINCT d.objid, d.refobjid FROM pg_depend d \
           JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid \
           JOIN pg_depend o ON o.classid = 'pg_class'::regclass AND o.objid = d.refobjid AND o.deptype = 'a' \
                           AND o.refclassid = 'pg_class'::regclass AND o.refobjid = $2 AND o.refobjsubid > 0 \
           JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' \
          WHERE d.refclassid = 'pg_class'::regclass \
            AND (a.adrelid = $1 OR a.adrelid IN (SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = $1))",
        &[parent.into(), owner.into()],
        |row| Ok((row.get(1)?, row.get(2)?)),
    )
}

/// The tablespace where a table lies.
pub fn tablespace(relation: pg_sys::Oid) -> Result<pg_sys::Oid, Error> {
    db::value(
        "SELECT CASE WHEN c.reltablespace <> 0 THEN c.reltablespace ELSE d.dattablespace END \
           FROM pg_class c, pg_database d WHERE c.oid = $1 AND d.datname = current_database()",
        &[relation.into()],
    )
}

/// Rows of a table, as of the last VACUUM or ANALYZE.
pub fn rows(relation: pg_sys::Oid) -> Result<i64, Error> {
    db::row(
        "SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = $1",
        &[relation.into()],
        |row| row.get(1),
    )
    .map(|found| found.unwrap_or(0))
}

/// Rows of a table, as of the last VACUUM or ANALYZE; `None` where there was none.
pub fn counted_rows(relation: pg_sys::Oid) -> Result<Option<i64>, Error> {
    db::row(
        "SELECT nullif(c.reltuples, -1)::bigint FROM pg_class c WHERE c.oid = $1",
        &[relation.into()],
        |row| row.find(1),
    )
    .map(Option::flatten)
}

/// What `pg_has_role` is to be asked for to know who may act as whom: what SET ROLE asks for.
pub const TO_ACT_AS: &str =
    "CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END";

/// Whether `role` may act as `owner`.
pub fn may_act_as(role: pg_sys::Oid, owner: pg_sys::Oid) -> Result<bool, Error> {
    db::value(
        &format!("SELECT pg_has_role($1, $2, {TO_ACT_AS})"),
        &[role.into(), owner.into()],
    )
}

/// Why a worker cannot connect to this database as `role`, in a sentence; `None` where it can.
pub fn connection_refusal(role: pg_sys::Oid) -> Result<Option<String>, Error> {
    db::row(
        "SELECT CASE WHEN NOT r.rolcanlogin THEN 'It may not log in.' \
                     WHEN NOT has_database_privilege(r.oid, current_database(), 'CONNECT') \
                     THEN 'It may not connect to this database.' END \
           FROM pg_roles r WHERE r.oid = $1",
        &[role.into()],
        |row| row.find(1),
    )
    .map(Option::flatten)
}

/// What must stay as it is while changes are captured: the capture triggers themselves. Their
/// row versions change with every ALTER TABLE … DISABLE TRIGGER, even if it is taken back.
pub fn capture_triggers(relation: pg_sys::Oid) -> Result<String, Error> {
    db::value(
        "SELECT coalesce(string_agg(format('%s %s %s', t.tgname, t.xmin, t.tgenabled), ', ' ORDER BY t.tgname), '') \
           FROM pg_trigger t WHERE t.tgrelid = $1 AND t.tgname LIKE 'partman\\_rs\\_capture%'",
        &[relation.into()],
    )
}

/// What a twin and its leaves are, as a digest: names, owners, privileges, columns, bounds. Indexes,
/// which come later, are not part of it; nor are the names of roles.
pub fn twin_shape(twin: pg_sys::Oid) -> Result<String, Error> {
    db::value(
        "SELECT md5(coalesce(string_agg(format('%s %s %s %s %s %s %s %s %s %s %s %s', \
                       c.oid, c.relnamespace, c.relname, c.relowner, c.relkind, c.relchecks, c.relhasrules, \
                       (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal), \
                       c.relrowsecurity, \
                       (SELECT string_agg(format('%s %s %s %s', a.grantor, a.grantee, a.privilege_type, a.is_grantable), ',') \
                          FROM aclexplode(c.relacl) a), \
                       c.relpartbound, \
                       (SELECT string_agg(format('%s %s %s %s %s', a.attname, a.atttypid, a.atttypmod, \
                                                 a.attnotnull, a.attisdropped), ',' ORDER BY a.attnum) \
                          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)), \
                     ';' ORDER BY c.oid), '')) \
           FROM pg_class c \
          WHERE c.oid IN (WITH RECURSIVE tree (oid) AS ( \
                            SELECT $1::oid \
                             UNION ALL \
                            SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending) \
                          SELECT t.oid FROM tree t)",
        &[twin.into()],
    )
}

/// Whether a twin has that name, and these leaves and no others, at whatever level.
pub fn is_twin_whole(
    twin: pg_sys::Oid,
    name: &QualifiedName,
    leaves: &[pg_sys::Oid],
) -> Result<bool, Error> {
    db::value(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                         WHERE c.oid = $1 AND n.nspname = $2 AND c.relname = $3) \
            AND $4 = ARRAY(WITH RECURSIVE tree (oid) AS ( \
                             SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = $1 AND NOT i.inhdetachpending \
                              UNION ALL \
                             SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending) \
                           SELECT t.oid FROM tree t WHERE NOT EXISTS (SELECT FROM pg_partitioned_table p WHERE p.partrelid = t.oid) \
                            ORDER BY t.oid)",
        &[
            twin.into(),
            name.schema.as_str().into(),
            name.name.as_str().into(),
            sorted(leaves).into(),
        ],
    )
}

fn sorted(oids: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    let mut oids = oids.to_vec();
    oids.sort_unstable_by_key(|oid| oid.to_u32());
    oids
}

/// Whether an index over all rows of a table begins with that column. By name: a partition may number
/// its columns otherwise than its table.
pub fn has_index_on(relation: pg_sys::Oid, column: &str) -> Result<bool, Error> {
    db::kept_value(
        "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam \
                         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
                         WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL AND m.amname = 'btree')",
        &[relation.into(), column.into()],
    )
}

/// The partitions of a table whose `DETACH PARTITION … CONCURRENTLY` has not ended: it was interrupted,
/// or is under way.
pub fn half_detached(parent: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    db::kept_rows(
        "SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = $1 AND i.inhdetachpending ORDER BY i.inhrelid",
        &[parent.into()],
        |row| row.get(1),
    )
}

/// Whether the first column of a table's partition key, a text, is compared byte by byte, by the key and by who
/// asks for it.
pub fn is_key_bytewise(parent: pg_sys::Oid) -> Result<bool, Error> {
    db::value(
        "SELECT coalesce(a.attcollation = p.partcollation[0] AND \
                         CASE WHEN l.collprovider = 'd' THEN d.datlocprovider = 'b' OR (d.datlocprovider = 'c' AND d.datcollate IN ('C', 'POSIX')) \
                              ELSE l.collprovider = 'b' OR (l.collprovider = 'c' AND l.collcollate IN ('C', 'POSIX')) END, false) \
           FROM pg_partitioned_table p \
           JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] \
           LEFT JOIN pg_collation l ON l.oid = p.partcollation[0] \
           LEFT JOIN pg_database d ON d.datname = current_database() \
          WHERE p.partrelid = $1",
        &[parent.into()],
    )
}

/// The tables that a table is a partition of, the uppermost first. None of them is locked.
pub fn ancestors(relation: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    // Of most tables there are none, which the cache of the catalog knows.
    if !relation::is_partition(relation) {
        return Ok(Vec::new());
    }
    db::kept_rows(
        "SELECT a.relid::oid FROM pg_partition_ancestors($1) WITH ORDINALITY AS a(relid, n) WHERE a.relid <> $1 ORDER BY a.n DESC",
        &[relation.into()],
        |row| row.get(1),
    )
}

/// How a table is partitioned, if that is by columns: by ranges or lists of one of them, or by hash.
pub fn partition_order(relation: pg_sys::Oid) -> Result<Option<PartitionOrder>, Error> {
    let Some(strategy) = partition_key::strategy(relation)? else {
        return Ok(None);
    };
    let columns = db::rows(
        "SELECT a.attname::text, a.attnum, p.partclass[n], p.partcollation[n] \
           FROM pg_partitioned_table p CROSS JOIN generate_series(0, p.partnatts - 1) n \
           JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[n] \
          WHERE p.partrelid = $1 AND p.partexprs IS NULL AND (p.partnatts = 1 OR p.partstrat = 'h') ORDER BY n",
        &[relation.into()],
        |row| {
            Ok(OrderColumn {
                name: row.get(1)?,
                attnum: row.get(2)?,
                operator_class: row.get(3)?,
                collation: row.get(4)?,
            })
        },
    )?;
    // None of a key that is an expression, or has several columns and is not by hash.
    Ok((!columns.is_empty()).then_some(PartitionOrder { strategy, columns }))
}

/// What holds for all rows of a table because of what it is a partition of, as it is written in SQL.
pub fn partition_constraint(relation: pg_sys::Oid) -> Result<Option<String>, Error> {
    settings::within(&settings::AS_WRITTEN, || {
        db::row(
            "SELECT pg_get_partition_constraintdef($1)",
            &[relation.into()],
            |row| row.find(1),
        )
        .map(Option::flatten)
    })
}

/// In what the columns of a table differ from those of another, whose partition it is to become: in words, each
/// by itself. Their order does not count.
pub fn column_differences(table: pg_sys::Oid, other: pg_sys::Oid) -> Result<Vec<String>, Error> {
    db::rows(
        "SELECT CASE WHEN o.attnum IS NULL THEN format('column \"%s\" is not in the table', t.attname) \
                     WHEN t.attnum IS NULL THEN format('column \"%s\" of the table is missing', o.attname) \
                     ELSE format('column \"%s\" is of another type or collation', o.attname) END \
           FROM (SELECT * FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped) t \
           FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = $2 AND attnum > 0 AND NOT attisdropped) o USING (attname) \
          WHERE (t.atttypid, t.atttypmod, t.attcollation) IS DISTINCT FROM (o.atttypid, o.atttypmod, o.attcollation) \
          ORDER BY o.attnum IS NULL DESC, t.attnum, o.attnum",
        &[table.into(), other.into()],
        |row| row.get(1),
    )
}

/// A table and all below it, parents before their partitions. None of them is locked.
pub fn tree(relation: pg_sys::Oid) -> Result<Vec<pg_sys::Oid>, Error> {
    db::kept_rows(
        "WITH RECURSIVE tree (oid, level) AS ( \
           SELECT $1::oid, 0 \
            UNION ALL \
           SELECT i.inhrelid, t.level + 1 FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid) \
         SELECT t.oid FROM tree t ORDER BY t.level, t.oid",
        &[relation.into()],
        |row| row.get(1),
    )
}

/// The bytes of a table and all below it, with indexes and TOAST, as the file system has them.
pub fn bytes(relation: pg_sys::Oid) -> Result<i64, Error> {
    let of_each = tree(relation)?.into_iter().map(|oid| {
        // Null where it is gone by now.
        db::kept_row("SELECT pg_total_relation_size($1)", &[oid.into()], |row| {
            row.find::<i64>(1)
        })
    });
    of_each.map(|bytes| Ok(bytes?.flatten().unwrap_or(0))).sum()
}

/// The names of a table's indexes, which lie in its schema.
pub fn indexes(relation: pg_sys::Oid) -> Result<Vec<String>, Error> {
    db::rows(
        "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1 ORDER BY c.oid",
        &[relation.into()],
        |row| row.get(1),
    )
}

/// The name of a relation; `None` where it is gone.
pub fn qualified_name(relation: pg_sys::Oid) -> Result<Option<QualifiedName>, Error> {
    db::kept_row(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
        &[relation.into()],
        |row| row.qualified_name(1),
    )
}

/// As SQL writes it; nothing where it is gone.
pub fn written_name(relation: pg_sys::Oid) -> Result<String, Error> {
    let name = qualified_name(relation)?;
    Ok(name.map(|name| name.to_string()).unwrap_or_default())
}

/// The name of a relation, without its schema; `None` where it is gone.
pub fn name(relation: pg_sys::Oid) -> Result<Option<String>, Error> {
    db::row(
        "SELECT relname::text FROM pg_class WHERE oid = $1",
        &[relation.into()],
        |row| row.get(1),
    )
}

/// The name of a relation, without its schema, and its owner; `None` where it is gone.
pub fn name_and_owner(relation: pg_sys::Oid) -> Result<Option<(String, pg_sys::Oid)>, Error> {
    db::kept_row(
        "SELECT relname::text, relowner FROM pg_class WHERE oid = $1",
        &[relation.into()],
        |row| Ok((row.get(1)?, row.get(2)?)),
    )
}

/// The name of a role.
pub fn role_name(role: pg_sys::Oid) -> Result<String, Error> {
    db::value("SELECT pg_get_userbyid($1)::text", &[role.into()])
}

/// Foreign keys of a table and those that point at it, by name, each with whether it points at it.
pub fn foreign_keys(relation: pg_sys::Oid) -> Result<Vec<(String, bool)>, Error> {
    db::rows(
        "SELECT conname::text, confrelid = $1 AND conrelid <> $1 FROM pg_constraint \
          WHERE contype = 'f' AND (conrelid = $1 OR confrelid = $1) AND conparentid = 0 ORDER BY conname",
        &[relation.into()],
        |row| Ok((row.get(1)?, row.get(2)?)),
    )
}
