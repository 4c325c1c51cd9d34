//! src/scalar/CONFORMANCE.md names exactly the operations that `Ball` has, and those that the vectors exercise.

use std::collections::BTreeSet;

use super::intervals::{INTERVALS, OTHERS, QUESTIONS};

/// The first column of the page's table: `name` as in the source, and the suite's names in the second.
fn rows() -> Vec<(String, BTreeSet<String>)> {
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_string).collect::<Vec<_>>();
    let page = include_str!("../../src/scalar/CONFORMANCE.md");
    let cells = page.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').collect::<Vec<_>>());
    cells.flat_map(|c| quoted(c[1]).into_iter().map(|name| (name, quoted(c[2]).into_iter().collect())).collect::<Vec<_>>()).collect()
}

#[test]
fn the_page_lists_every_public_method() {
    let sources = [
        include_str!("../../src/scalar/ball/mod.rs"),
        include_str!("../../src/scalar/ball/arithmetic.rs"),
        include_str!("../../src/scalar/ball/elementary.rs"),
        include_str!("../../src/scalar/digits.rs"),
    ];
    let named = |line: &str| -> Option<String> {
        let line = line.trim();
        let function = line.strip_prefix("pub fn ").map(|rest| rest.split(['(', '<']).next().unwrap_or(rest));
        // The macros of elementary functions: `name = float_ref`; of operators: `Add add |a, b|`.
        let elementary = || line.split_once(" = ").filter(|(_, rest)| rest.split([' ', ';']).next().is_some_and(|f| f.ends_with("_ref")));
        let operator =
            || line.strip_prefix(['A', 'S', 'M', 'D']).filter(|rest| rest.contains(" |a, b| ")).and_then(|rest| rest.split(' ').nth(1));
        function.or_else(|| elementary().map(|(name, _)| name)).or_else(operator).filter(|name| !name.starts_with('$')).map(str::to_string)
    };
    let mut methods: BTreeSet<String> = sources.iter().flat_map(|s| s.lines().filter_map(named)).collect();
    methods.extend(["neg", "clone", "eq"].map(str::to_string));
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row.0).collect();
    assert_eq!(listed, methods);
}

#[test]
fn the_page_lists_what_the_vectors_exercise() {
    let mut exercised: BTreeSet<(String, String)> = INTERVALS.iter().map(|o| (o.1.to_string(), o.0.to_string())).collect();
    exercised.extend(QUESTIONS.iter().map(|o| (o.1.to_string(), o.0.to_string())));
    exercised.extend(OTHERS.iter().map(|o| (o.1.to_string(), o.0.to_string())));
    let listed: BTreeSet<(String, String)> =
        rows().into_iter().flat_map(|(name, suite)| suite.into_iter().map(move |s| (name.clone(), s))).collect();
    assert_eq!(listed, exercised);
}
