//! Functions, aggregates and casts that take or return rows of the table: the row type of the result is
//! another, so that they are made anew.

use super::after::{expressions, step};
use super::refused::must_create;
use super::{Cast, Dependents, RowFunction};
use crate::plan::blockers::Blocker;
use crate::plan::grants::grant_option;
use crate::plan::labels;
use crate::plan::lock::Mode;
use crate::plan::names::{QualifiedName, quote_role};
use crate::plan::phase::Phase;
use crate::plan::sql::Sql;
use crate::plan::step::Step;

/// What goes before the names are exchanged, since what takes its place has its name. What is bound to a
/// function is bound to the next one before the function goes ([`at_last`]): until then that has another name.
pub fn before_renaming(dependents: &Dependents) -> Vec<Step> {
    // Nothing is bound to a cast: what uses one is bound to its function.
    let casts = dependents
        .casts
        .iter()
        .map(|cast| step(Sql::template("DROP CAST {name}").trusted("name", &cast.name())));
    let functions = dependents.row_functions.iter().map(|function| {
        let statement = Sql::template("ALTER ROUTINE {name} RENAME TO {aside}")
            .trusted("name", &function.name)
            .ident("aside", &function.aside().name);
        step(statement).run_as(function.owner)
    });
    casts.chain(functions).collect()
}

/// What goes when all that was bound to it is bound to what has taken its place.
pub fn at_last(dependents: &Dependents, retired: &QualifiedName) -> Vec<Step> {
    // What the retired table keeps may call them. A policy that is gone could show more than was shown.
    let calls_one = |calls: &[String]| {
        let mut functions = dependents.row_functions.iter();
        functions.any(|function| calls.contains(&function.name))
    };
    let policies = (dependents.policies.iter()).filter(|one| calls_one(&one.calls));
    let policies = policies.map(|policy| {
        let no = |expression: &Option<String>| expression.as_ref().map(|_| "false".to_owned());
        let statement = Sql::template("ALTER POLICY {name} ON {retired}{expressions}")
            .ident("name", &policy.name)
            .name("retired", retired)
            .trusted(
                "expressions",
                &expressions(&no(&policy.using), &no(&policy.check)),
            );
        step(statement).locks(Mode::AccessExclusive, retired)
    });
    let rules = (dependents.rules.iter()).filter(|one| calls_one(&one.calls));
    let rules = rules.map(|rule| {
        let statement = Sql::template("DROP RULE {name} ON {retired}")
            .ident("name", &rule.name)
            .name("retired", retired);
        step(statement).locks(Mode::AccessExclusive, retired)
    });
    let functions = in_order(&dependents.row_functions).into_iter().rev();
    let functions = functions.map(|function| {
        // No other routine has that name, of whatever arguments.
        let statement = Sql::template("DROP ROUTINE {name}").name("name", &function.aside());
        step(statement).run_as(function.owner)
    });
    policies.chain(rules).chain(functions).collect()
}

/// What others are made of before these.
fn in_order(functions: &[RowFunction]) -> Vec<&RowFunction> {
    let mut left: Vec<&RowFunction> = functions.iter().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let is_left = |name: &String| left.iter().any(|other| other.name == *name);
        let (ready, waiting): (Vec<_>, Vec<_>) =
            left.iter().partition(|one| !one.calls.iter().any(is_left));
        if ready.is_empty() {
            // Made of each other, which is refused.
            ordered.extend(waiting);
            break;
        }
        ordered.extend(ready);
        left = waiting;
    }
    ordered
}

/// Functions that are made of each other, or of themselves: none can be made first.
fn circles(functions: &[RowFunction]) -> Vec<&RowFunction> {
    let ordered = in_order(functions);
    let is_after = |place: usize, name: &String| {
        let mut later = ordered[place..].iter();
        later.any(|one| one.name == *name)
    };
    let circles = ordered.iter().enumerate();
    circles
        .filter(|(place, one)| one.calls.iter().any(|name| is_after(*place, name)))
        .map(|(_, one)| *one)
        .collect()
}

/// A cast comes right behind its function: without it, what is made next would convert through text.
pub fn made(dependents: &Dependents) -> Vec<Step> {
    let functions = in_order(&dependents.row_functions);
    let is_by = |cast: &Cast, one: &RowFunction| cast.function.as_ref() == Some(&one.name);
    // By functions that stay, as those of any row are, or by none.
    let casts = dependents.casts.iter();
    let others = casts.filter(|cast| !functions.iter().any(|one| is_by(cast, one)));
    let made = functions.iter().flat_map(|one| {
        let casts = dependents.casts.iter();
        let casts = casts.filter(move |cast| is_by(cast, one));
        make(one).into_iter().chain(casts.flat_map(make_cast))
    });
    others.flat_map(make_cast).chain(made).collect()
}

fn make_cast(cast: &Cast) -> Vec<Step> {
    let on = |template: &'static str| Sql::template(template).trusted("name", &cast.name());
    let method = match &cast.function {
        Some(function) => format!("FUNCTION {function}"),
        None => "INOUT".to_owned(),
    };
    let make = on("CREATE CAST {name} WITH {method}{context}")
        .trusted("method", &method)
        .trusted("context", &cast.context);
    let comment = (cast.comment.iter())
        .map(|comment| on("COMMENT ON CAST {name} IS {comment}").literal("comment", comment));
    std::iter::once(make).chain(comment).map(step).collect()
}

/// A function's own privileges are given when it is made; nobody else's stay, whatever ALTER DEFAULT
/// PRIVILEGES says.
fn make(function: &RowFunction) -> Vec<Step> {
    let mut statements = vec![function.definition.clone()];
    let on = |template: &'static str| Sql::template(template).trusted("name", &function.name);
    statements.extend(function.strangers.iter().map(|grantee| {
        on("REVOKE ALL ON ROUTINE {name} FROM {grantee}")
            .trusted("grantee", &quote_role(grantee.as_deref()))
            .build()
    }));
    statements.extend(function.grants.iter().map(|grant| {
        on("GRANT EXECUTE ON ROUTINE {name} TO {grantee}{option}")
            .trusted("grantee", &quote_role(grant.grantee.as_deref()))
            .trusted("option", grant_option(grant.grantable))
            .build()
    }));
    let object = format!("ROUTINE {}", function.name);
    statements.extend(
        function
            .labels
            .iter()
            .map(|(provider, text)| labels::statement(&object, provider, Some(text)).build()),
    );
    statements.extend(function.comment.iter().map(|comment| {
        on("COMMENT ON ROUTINE {name} IS {comment}")
            .literal("comment", comment)
            .build()
    }));
    let steps = statements.into_iter();
    steps
        .map(|statement| Step::new(Phase::Swapping, statement).run_as(function.owner))
        .collect()
}

/// What of it cannot be made again.
pub fn refused(dependents: &Dependents, owner: &str) -> Vec<Blocker> {
    let mut found = Vec::new();
    for function in &dependents.row_functions {
        let (kind, name) = (function.kind(), &function.name);
        if !function.owner_may_create {
            found.push(must_create(
                kind,
                name,
                &function.owner_name,
                &function.schema,
            ));
        }
        let made_again = format!(
            "{kind} {name} takes or returns rows of the table and must be dropped and made again"
        );
        if !function.users.is_empty() {
            found.push(Blocker::fact(format!(
                "{made_again}, but this depends on it: {}.",
                function.users.join(", ")
            )));
        }
        if function.has_more {
            found.push(Blocker::fact(format!(
                "{made_again}, but it belongs to an extension, or depends on one."
            )));
        }
        let grants = &function.grants;
        if grants.iter().any(|grant| grant.grantor != function.owner) {
            found.push(Blocker::with_hint(
                format!("{made_again}, but others than its owner have granted privileges on it."),
                "Have its owner grant them.",
            ));
        }
    }
    found.extend(circles(&dependents.row_functions).into_iter().map(|function| {
        Blocker::fact(format!(
            "{} {} takes or returns rows of the table and must be made again before others that it is made of itself.",
            function.kind(),
            function.name
        ))
    }));
    for cast in &dependents.casts {
        let name = cast.name();
        if cast.has_more {
            found.push(Blocker::fact(format!(
                "Cast {name} must be dropped and made again, but it belongs to an extension."
            )));
        }
        found.extend(cast.obstacle.iter().map(|obstacle| {
            Blocker::with_hint(
                format!("Cast {name} must be made again by the table's owner \"{owner}\", who cannot: {obstacle}."),
                "Grant what is lacking.",
            )
        }));
    }
    found
}

impl RowFunction {
    /// What it is, as the beginning of a sentence.
    pub fn kind(&self) -> &'static str {
        match self.is_aggregate {
            true => "Aggregate",
            false => "Function",
        }
    }

    /// What it is called from when the names are exchanged until it goes.
    fn aside(&self) -> QualifiedName {
        QualifiedName::new(&self.schema, format!("partman_rs_aside_{}", self.oid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, calls: &[&str]) -> RowFunction {
        RowFunction {
            oid: 7,
            calls: (calls.iter())
                .map(|other| format!("public.{other}(public.t)"))
                .collect(),
            name: format!("public.{name}(public.t)"),
            is_aggregate: false,
            owner: 10,
            owner_name: "owner".to_owned(),
            schema: "public".to_owned(),
            definition: format!("CREATE OR REPLACE FUNCTION public.{name}(public.t) …"),
            owner_may_create: true,
            obstacle: None,
            unreachable: None,
            grants: Vec::new(),
            strangers: Vec::new(),
            comment: None,
            labels: Vec::new(),
            users: Vec::new(),
            has_more: false,
        }
    }

    fn cast(function: Option<&str>) -> Cast {
        Cast {
            oid: 8,
            source: "public.t".to_owned(),
            target: "text".to_owned(),
            function: function.map(|name| format!("public.{name}(public.t)")),
            context: " AS IMPLICIT".to_owned(),
            obstacle: None,
            comment: None,
            has_more: false,
        }
    }

    fn names(functions: &[&RowFunction]) -> Vec<String> {
        let names = functions.iter().map(|one| one.name.as_str());
        names
            .map(|name| name[7..name.len() - 10].to_owned())
            .collect()
    }

    #[test]
    fn a_function_comes_behind_all_that_it_is_made_of() {
        let functions = [
            function("a", &["b", "d"]),
            function("b", &["c"]),
            function("c", &[]),
            function("d", &["c"]),
        ];
        assert_eq!(names(&in_order(&functions)), ["c", "b", "d", "a"]);
        assert!(circles(&functions).is_empty());
    }

    #[test]
    fn a_circle_is_refused() {
        let functions = [
            function("a", &["b"]),
            function("b", &["a"]),
            function("c", &[]),
        ];
        assert_eq!(in_order(&functions).len(), 3);
        assert_eq!(names(&circles(&functions)), ["a"]);
        assert_eq!(names(&circles(&[function("a", &["a"])])), ["a"]);
    }

    #[test]
    fn a_cast_is_there_before_what_could_do_without_it() {
        let dependents = Dependents {
            row_functions: vec![function("a", &["b"]), function("b", &[])],
            casts: vec![cast(Some("b")), cast(None), cast(Some("of_any_row"))],
            ..Dependents::default()
        };
        let made = made(&dependents).into_iter();
        let made: Vec<String> = made.map(|step| step.statement).collect();
        assert_eq!(
            made,
            [
                "CREATE CAST (public.t AS text) WITH INOUT AS IMPLICIT",
                "CREATE CAST (public.t AS text) WITH FUNCTION public.of_any_row(public.t) AS IMPLICIT",
                "CREATE OR REPLACE FUNCTION public.b(public.t) …",
                "CREATE CAST (public.t AS text) WITH FUNCTION public.b(public.t) AS IMPLICIT",
                "CREATE OR REPLACE FUNCTION public.a(public.t) …",
            ]
        );
    }

    #[test]
    fn what_the_retired_table_keeps_shows_no_more_than_before() {
        let policy = |name: &str, calls: &[String]| super::super::Policy {
            oid: 1,
            calls: calls.to_vec(),
            name: name.to_owned(),
            permissive: false,
            command: "*".to_owned(),
            roles: vec![None],
            using: Some("public.a(t.*) > 1".to_owned()),
            check: None,
            comment: None,
        };
        let dependents = Dependents {
            policies: vec![
                policy("p", &["public.a(public.t)".to_owned()]),
                policy("q", &["public.a(record)".to_owned()]),
            ],
            row_functions: vec![function("a", &["b"]), function("b", &[])],
            ..Dependents::default()
        };
        let steps = at_last(&dependents, &QualifiedName::new("public", "t_retired"));
        let statements: Vec<String> = steps.into_iter().map(|step| step.statement).collect();
        assert_eq!(
            statements,
            [
                "ALTER POLICY p ON public.t_retired USING (false)",
                "DROP ROUTINE public.partman_rs_aside_7",
                "DROP ROUTINE public.partman_rs_aside_7",
            ]
        );
    }
}
