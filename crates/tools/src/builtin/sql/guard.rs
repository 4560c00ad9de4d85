//! Which statements are asked: one, that reads, with functions that compute and do nothing else. It is read by a parser; what that
//! cannot read is not asked. The list is of what is allowed: databases have thousands of functions, and grow.

use std::ops::ControlFlow;

use sqlparser::ast::{
    DescribeAlias, Expr, FunctionArguments, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

/// How deep a statement may lie in itself.
const DEPTH: usize = 40;

/// A statement that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    /// As it was read, without comments and what ended it.
    pub(super) sql: String,
    /// Whether it asks for the plan of a query alone.
    pub(super) explains: bool,
}

/// Functions that compute from their arguments, in SQLite and PostgreSQL.
const FUNCTIONS: &str = include_str!("functions.txt");

fn computes(function: &str) -> bool {
    let function = function.to_ascii_lowercase();
    let mut words = FUNCTIONS.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    words.any(|word| word == function)
}

/// Whether it may be asked, or why not.
pub(super) fn check(sql: &str, postgres: bool) -> Result<Checked, String> {
    let dialect: &dyn Dialect = if postgres { &PostgreSqlDialect {} } else { &SQLiteDialect {} };
    // A database written in C stops reading there; the parser goes on.
    if sql.contains('\0') {
        return Err("it holds a character that no statement has".to_owned());
    }
    let parser = Parser::new(dialect).with_recursion_limit(DEPTH).try_with_sql(sql);
    let mut statements = parser.and_then(|mut parser| parser.parse_statements()).map_err(|error| {
        format!("it cannot be read: {}", error.to_string().trim_start_matches("sql parser error: "))
    })?;
    let statement = match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => statement,
        (None, _) => return Err("there is no statement in it".to_owned()),
        (Some(_), false) => return Err("it is more than one statement; send one at a time".to_owned()),
    };
    let explains = match &statement {
        Statement::Query(_) => false,
        Statement::Explain {
            describe_alias: DescribeAlias::Explain, analyze: false, statement, options: None, ..
        } if matches!(**statement, Statement::Query(_)) => true,
        _ => return Err("it does not only read: SELECT, WITH ... SELECT and EXPLAIN of these are asked".to_owned()),
    };
    let mut reader = Reader { statements: 0, postgres };
    if let ControlFlow::Break(reason) = statement.visit(&mut reader) {
        return Err(reason);
    }
    // What is asked is what was read, not what was written: no comment, no second meaning. And it reads the same once more.
    let sql = statement.to_string();
    let again = Parser::parse_sql(dialect, &sql).ok();
    if again.is_none_or(|again| again.iter().map(ToString::to_string).ne([sql.clone()])) {
        return Err("it cannot be read in one way alone; write it more simply".to_owned());
    }
    Ok(Checked { sql, explains })
}

struct Reader {
    statements: usize,
    postgres: bool,
}

fn no(reason: impl Into<String>) -> ControlFlow<String> {
    ControlFlow::Break(reason.into())
}

impl Reader {
    fn function(&self, name: &ObjectName) -> ControlFlow<String> {
        let words: Vec<String> = name.0.iter().map(|part| part.to_string().trim_matches('"').to_owned()).collect();
        let known = match words.as_slice() {
            [word] => computes(word),
            [schema, word] if self.postgres => schema.eq_ignore_ascii_case("pg_catalog") && computes(word),
            _ => false,
        };
        if known {
            return ControlFlow::Continue(());
        }
        no(format!("the function {name} is none of those that are allowed here: it might do more than compute"))
    }

    fn select(select: &Select) -> ControlFlow<String> {
        if select.into.is_some() {
            return no("SELECT ... INTO makes a table");
        }
        ControlFlow::Continue(())
    }

    fn body(body: &SetExpr) -> ControlFlow<String> {
        match body {
            SetExpr::Select(select) => Reader::select(select),
            SetExpr::SetOperation { left, right, .. } => {
                Reader::body(left)?;
                Reader::body(right)
            }
            SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                no("there is a part in it that writes")
            }
            SetExpr::Table(_) => no("write SELECT * FROM in place of TABLE"),
        }
    }
}

impl Visitor for Reader {
    type Break = String;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<String> {
        self.statements += 1;
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            Statement::Explain { .. } if self.statements == 1 => ControlFlow::Continue(()),
            _ => no("there is a part in it that writes"),
        }
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        if !query.locks.is_empty() {
            return no("FOR UPDATE and FOR SHARE lock rows");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return no("its last clause is not known here");
        }
        Reader::body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        Reader::select(select)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<String> {
        let words: Vec<String> =
            relation.0.iter().map(|part| part.to_string().trim_matches('"').to_ascii_lowercase()).collect();
        let own = words.last().is_some_and(|name| {
            name.starts_with("pg_") || name.starts_with("pragma_") || name == "dbstat" || name == "sqlite_dbpage"
        });
        if own || words.iter().any(|word| word == "pg_catalog") {
            return no(format!(
                "{relation} is of the database's own; information_schema or sqlite_schema tells the tables"
            ));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => self.function(name),
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. } => ControlFlow::Continue(()),
            _ => no("there is a kind of table in it that is not known here"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        match expr {
            Expr::Function(function) => {
                if !matches!(function.parameters, FunctionArguments::None) || function.uses_odbc_syntax {
                    return no("a function is called in a way that is not known here");
                }
                self.function(&function.name)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_asked() {
        for sql in [
            "SELECT 1",
            "select a, count(*) from t where b like '%x;--%' group by a having count(*) > 1 order by 2 desc limit 5;",
            "WITH x AS (SELECT * FROM orders) SELECT x.id, sum(x.n) OVER (PARTITION BY x.k) FROM x LEFT JOIN y USING (id)",
            "SELECT * FROM (VALUES (1), (2)) AS v(n) UNION ALL SELECT 3",
            "EXPLAIN SELECT 1",
            "SELECT CAST(a AS TEXT), CASE WHEN a > 1 THEN 'x' END, substr(b, 1, 2) FROM t -- why",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
            "SELECT table_name FROM information_schema.tables",
            "SELECT \"名称\" FROM \"产品\" WHERE \"名称\" = '螺丝'",
        ] {
            assert!(check(sql, true).is_ok(), "{sql}: {:?}", check(sql, true));
            assert!(check(sql, false).is_ok(), "{sql}: {:?}", check(sql, false));
        }
        for sql in [
            "SELECT extract(year FROM at), at::date, date_trunc('month', at) FROM t",
            "SELECT * FROM generate_series(1, 3) g",
        ] {
            assert!(check(sql, true).is_ok(), "{sql}: {:?}", check(sql, true));
        }
        for sql in ["SELECT name FROM sqlite_master", "EXPLAIN QUERY PLAN SELECT 1", "SELECT strftime('%Y', at) FROM t"]
        {
            assert!(check(sql, false).is_ok(), "{sql}: {:?}", check(sql, false));
        }
    }

    #[test]
    fn what_writes_reads_files_or_sleeps_is_not() {
        for sql in [
            "",
            "-- nothing",
            "SELECT 1; SELECT 2",
            "SELECT 1; DROP TABLE t",
            "SELECT 1;\u{0}DROP TABLE t",
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
            "DROP TABLE t",
            "CREATE TABLE t (a INT)",
            "CREATE TEMP TABLE t AS SELECT 1",
            "ALTER TABLE t ADD a INT",
            "TRUNCATE t",
            "VACUUM",
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
            "WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x",
            "WITH x AS (SELECT 1) DELETE FROM t",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            "SELECT * INTO copy FROM t",
            "SELECT 1 UNION SELECT 2 INTO x",
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM (SELECT * FROM t FOR SHARE) x",
            "EXPLAIN ANALYZE DELETE FROM t",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN (ANALYZE) SELECT 1",
            "EXPLAIN DELETE FROM t",
            "COPY t TO PROGRAM 'id'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "COPY t FROM PROGRAM 'curl x'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT PG_READ_FILE('/etc/passwd')",
            "SELECT \"pg_read_file\"('/etc/passwd')",
            "SELECT pg_catalog.pg_read_file('/etc/passwd')",
            "SELECT * FROM pg_read_file('/etc/passwd')",
            "SELECT * FROM LATERAL pg_ls_dir('/') x",
            "SELECT pg_sleep(10)",
            "SELECT 1 WHERE 1 = (SELECT 1 FROM pg_sleep(10))",
            "SELECT 1 ORDER BY pg_sleep(10)",
            "SELECT CASE WHEN true THEN pg_sleep(10) END",
            "SELECT count(*) FILTER (WHERE pg_sleep(1) IS NULL) FROM t",
            "SELECT dblink('host=x', 'DROP TABLE t')",
            "SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)",
            "SELECT lo_import('/etc/passwd')",
            "SELECT pg_terminate_backend(1)",
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT current_setting('x')",
            "SELECT query_to_xml('DELETE FROM t', true, true, '')",
            "SELECT nextval('s')",
            "SELECT public.my_function()",
            "SELECT * FROM pg_shadow",
            "SELECT * FROM pg_catalog.pg_authid",
            "TABLE pg_shadow",
            "SELECT load_extension('/tmp/x.so')",
            "SELECT readfile('/etc/passwd')",
            "SELECT writefile('/tmp/x', 'y')",
            "SELECT zeroblob(1000000000)",
            "SELECT randomblob(1000000000)",
            "SELECT printf('%.*c', 1000000000, 'x')",
            "SELECT * FROM pragma_database_list",
            "SELECT * FROM pragma_table_info('t')",
            "SELECT fts3_tokenizer('x')",
            "ATTACH DATABASE '/etc/x' AS x",
            "DETACH DATABASE x",
            "PRAGMA query_only = 0",
            "PRAGMA table_info(t)",
            "BEGIN",
            "COMMIT",
            "SET statement_timeout = 0",
            "RESET ALL",
            "DO $$ BEGIN PERFORM 1; END $$",
            "CALL p()",
            "LISTEN x",
            "NOTIFY x",
            "LOCK TABLE t",
            "PREPARE p AS DELETE FROM t",
            "EXECUTE p",
            "DECLARE c CURSOR FOR SELECT 1",
            "GRANT ALL ON t TO x",
            "/* SELECT */ DELETE FROM t",
            "SELECT 1 /* ; */ ; /* */ DELETE FROM t",
        ] {
            assert!(check(sql, true).is_err(), "PostgreSQL: {sql}: {:?}", check(sql, true));
            assert!(check(sql, false).is_err(), "SQLite: {sql}: {:?}", check(sql, false));
        }
    }

    #[test]
    fn what_lies_too_deep_is_not_read() {
        let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(check(&deep, true).unwrap_err().starts_with("it cannot be read"));
    }

    proptest::proptest! {
        /// Whatever is written, a statement that passes is one that reads, also when it is read once more.
        #[test]
        fn what_passes_passes_again(sql in "(SELECT|WITH|DELETE|;|--|/\\*|\\*/|'|\"|\\$\\$|x|\\(|\\)| |,|1|FROM|pg_sleep|INTO|\n){0,14}") {
            for postgres in [true, false] {
                if let Ok(checked) = check(&sql, postgres) {
                    let again = check(&checked.sql, postgres);
                    proptest::prop_assert_eq!(again.map(|again| again.sql), Ok(checked.sql));
                }
            }
        }
    }
}
