//! src/linalg/ball/CONFORMANCE.md names exactly the public operations on matrices of balls, and the exact products under them.

use std::collections::BTreeSet;

#[test]
fn the_page_lists_every_public_operation() {
    let page = include_str!("../../src/linalg/ball/CONFORMANCE.md");
    let first_cells = page.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').nth(1).unwrap());
    let listed: BTreeSet<&str> = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let sources = [
        include_str!("../../src/linalg/ball/definite.rs"),
        include_str!("../../src/linalg/ball/eigen.rs"),
        include_str!("../../src/linalg/ball/exact.rs"),
        include_str!("../../src/linalg/ball/matrix.rs"),
        include_str!("../../src/linalg/ball/norms.rs"),
        include_str!("../../src/linalg/ball/singular.rs"),
        include_str!("../../src/linalg/ball/solve.rs"),
    ];
    let named = |line: &'static str| line.trim().strip_prefix("pub fn ").and_then(|rest| rest.split(['(', '<']).next());
    let mut public: BTreeSet<&str> = sources.into_iter().flat_map(|s| s.lines().filter_map(named)).collect();
    public.extend(["product", "product_with", "exact_integer_product"]);
    assert_eq!(listed, public);
}
