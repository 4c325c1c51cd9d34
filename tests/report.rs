//! What pages promise: one file, no network, no script, well-formed whatever the numbers and names are.

use faer::Mat;
use proptest::prelude::*;
use ufm::report::html::{Axis, Cell, HeatMap, Page, Plot, Series};

/// Every element that is opened is closed, in order; void elements excepted.
fn well_formed(page: &str) -> Result<(), String> {
    let mut open: Vec<&str> = vec![];
    let body = page.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    for part in body.split('<').skip(1) {
        let (tag, _) = part.split_once('>').ok_or_else(|| format!("unclosed tag: {part}"))?;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
        } else if !tag.ends_with('/') {
            let name = tag.split_whitespace().next().unwrap_or_default();
            if !["meta"].contains(&name) {
                open.push(name);
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

fn assert_self_contained(page: &str) {
    well_formed(page).unwrap();
    for forbidden in ["http:", "https:", "//", "<script", "url(", "@import", "<img", "<link", "NaN\"", "inf\""] {
        assert!(!page.contains(forbidden), "{forbidden} in the page");
    }
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![prop::num::f64::ANY, -10.0..10.0f64, Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e308), Just(5e-324)]
}

proptest! {
    #[test]
    fn pages_are_well_formed_and_self_contained(
        points in prop::collection::vec((any_number(), any_number()), 0..12), log in any::<(bool, bool)>(), name in ".{0,12}",
        (rows, cols) in (0usize..5, 0usize..5), entry in any_number(),
    ) {
        let name = name.replace("//", "");
        let mut page = Page::new(&name, &name);
        page.section(&name);
        page.section("second");
        page.paragraph(&name);
        page.table(&name, &["a", "b", "c"], &[vec![Cell::Text(name.clone()), Cell::Number("1".into()), Cell::Verdict("proved".into(), true)]]);
        let axis = |log| if log { Axis::log(&name) } else { Axis::linear(&name) };
        let series = vec![Series::line(&name, points.clone()), Series::points("p", points.clone()), Series::theory("t", points)];
        page.plot(&Plot { title: name.clone(), x: axis(log.0), y: axis(log.1), series });
        page.heat_map(&HeatMap { title: name.clone(), matrix: Mat::full(rows, cols, entry) });
        assert_self_contained(&page.render());
    }
}

#[test]
fn drawings_have_text_alternatives() {
    let mut page = Page::new("t", "l");
    page.plot(&Plot {
        title: "NC1".into(),
        x: Axis::log("epoch"),
        y: Axis::log("nc1"),
        series: vec![Series::line("run", vec![(1.0, 0.5), (10.0, 1e-4)])],
    });
    page.heat_map(&HeatMap { title: "Gram".into(), matrix: Mat::identity(100, 100) });
    let text = page.render();
    assert!(text.contains("nc1 against epoch. run: from 0.5 at 1 to 1.000e-4 at 10, 2 points."), "{text}");
    assert!(text.contains("A 100 x 100 matrix, entries from 0 to 1, shown as means of 64 x 64 blocks."));
    assert_eq!(text.matches("role=\"img\"").count(), text.matches("<title id=").count());
    assert_eq!(text.matches("<desc").count(), 2);
}

#[test]
fn points_outside_a_logarithm_are_left_out() {
    let mut page = Page::new("t", "l");
    let series = vec![Series::line("run", vec![(1.0, 0.0), (2.0, 1.0), (3.0, -1.0), (4.0, 10.0)])];
    page.plot(&Plot { title: "p".into(), x: Axis::linear("x"), y: Axis::log("y"), series });
    // Two marks of the series, two of its legend.
    assert_eq!(page.render().matches("<circle").count(), 4);
}
