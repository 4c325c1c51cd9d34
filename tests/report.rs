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
        page.note(&name);
        page.heading(&name);
        page.table(&name, &["a"], &[vec![Cell::Section(name.clone())], vec![Cell::Section("nowhere".into())]]);
        let names = vec![name.clone(), "a long name that is shortened".into()];
        page.plot(&Plot { title: name.clone(), x: Axis::named(&name, names).marker(entry, &name), y: Axis::log("y").marker(entry, &name), series: vec![] });
        page.heat_map(&HeatMap { title: name.clone(), matrix: Mat::full(rows, cols, entry) });
        page.heat_maps(&name, &[HeatMap { title: "one".into(), matrix: Mat::full(rows, cols, entry) }, HeatMap { title: "two".into(), matrix: Mat::identity(3, 3) }]);
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
    assert!(text.contains("A 100 x 100 matrix, diagonal from 1 to 1, off the diagonal from 0 to 0, shown as means of 64 x 64 blocks."));
    assert_eq!(text.matches("role=\"img\"").count(), text.matches("<title id=").count());
    assert_eq!(text.matches("<desc").count(), 2);
}

#[test]
fn points_outside_a_logarithm_are_left_out() {
    let mut page = Page::new("t", "l");
    let series = vec![Series::line("run", vec![(1.0, 0.0), (2.0, 1.0), (3.0, -1.0), (4.0, 10.0)])];
    page.plot(&Plot { title: "p".into(), x: Axis::linear("x"), y: Axis::log("y"), series });
    // Two marks of the series, one of its legend.
    assert_eq!(page.render().matches("<circle").count(), 3);
}

#[test]
fn links_lead_to_sections() {
    let mut page = Page::new("t", "l");
    page.table("all", &["theorem"], &[vec![Cell::Section("later & last".into())], vec![Cell::Section("nowhere".into())]]);
    page.section("first");
    page.section("later & last");
    let text = page.render();
    assert!(text.contains("<th scope=\"row\"><a href=\"#s2\">later &amp; last</a></th>"), "{text}");
    assert!(text.contains("<th scope=\"row\">nowhere</th>"));
    for target in text.split("href=\"#").skip(1).filter_map(|part| part.split('"').next()) {
        assert_eq!(text.matches(&format!("id=\"{target}\"")).count(), 1, "{target}");
    }
    for landmark in ["<html lang=\"en\">", "<header>", "<nav aria-label=", "<main id=\"main\">", "<footer>"] {
        assert_eq!(text.matches(landmark).count(), 1, "{landmark}");
    }
}

#[test]
fn names_and_markers_are_drawn_and_told() {
    let mut page = Page::new("t", "l");
    let x = Axis::named("layer", vec!["input".into(), "hidden".into()]).marker(2.0, "effective depth");
    let y = Axis::log("nc1").marker(1.0, "as large as the signal");
    page.plot(&Plot { title: "p".into(), x, y, series: vec![Series::line("run", vec![(1.0, 0.5), (2.0, 0.25)])] });
    let text = page.render();
    assert!(
        text.contains("run: from 0.5 at input to 0.25 at hidden, 2 points. effective depth: hidden. as large as the signal: 1."),
        "{text}"
    );
    assert_eq!(text.matches("class=\"marker\"").count(), 2);
    assert!(text.contains("<td class=\"number\">hidden</td>"), "the table of numbers names the layer");
}

#[test]
fn heat_maps_side_by_side_share_their_colours() {
    let mut page = Page::new("t", "l");
    let map = |title: &str, x: f64| HeatMap { title: title.into(), matrix: Mat::full(2, 2, x) };
    page.heat_maps("beside", &[map("four", 4.0), map("one", 1.0)]);
    let text = page.render();
    // Colours go by the root: one is half of four.
    assert!(text.contains("<path class=\"h48\" d=\"M0 0h2v1h-2zM0 1h2v1h-2z\"/>") && text.contains("<path class=\"h36\" d="), "{text}");
    assert_eq!(text.matches("class=\"scale\"").count(), 1);
}

/// Contrast of two colours `#rrggbb` as the Web Content Accessibility Guidelines 2.1 define it.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| {
        let channel = |at: usize| {
            let c = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (x, y) = (luminance(a), luminance(b));
    (x.max(y) + 0.05) / (x.min(y) + 0.05)
}

#[test]
fn contrast_is_enough_in_light_and_dark() {
    let page = Page::new("t", "l").render();
    let (light, dark) = page.split_once("prefers-color-scheme: dark").unwrap();
    for style in [light, dark] {
        let colour = |name: &str| {
            let (_, rest) = style.split_once(&format!("--{name}: ")).unwrap_or_else(|| panic!("{name}"));
            rest[..7].to_owned()
        };
        for ground in ["ground", "note"] {
            assert!(contrast(&colour("text"), &colour(ground)) >= 7.0, "text on {ground}");
        }
        for name in ["soft", "good", "bad", "s0"] {
            assert!(contrast(&colour(name), &colour("ground")) >= 4.5, "{name}: {:.2}", contrast(&colour(name), &colour("ground")));
        }
        for name in ["s1", "s2", "s3", "s4", "s5"] {
            assert!(contrast(&colour(name), &colour("ground")) >= 3.0, "{name}");
        }
    }
}

fn plotted(x: Axis, y: Axis, series: Vec<Series>) -> String {
    let mut page = Page::new("t", "l");
    page.plot(&Plot { title: "p".into(), x, y, series });
    page.render()
}

/// Texts at ticks, each with its x.
fn ticks(page: &str) -> Vec<(f64, String)> {
    let tick = |part: &str| {
        let (x, rest) = part.strip_prefix(" x=\"")?.split_once('"')?;
        Some((x.parse().ok()?, rest.split_once('>')?.1.split_once('<')?.0.to_owned()))
    };
    page.split("<text class=\"tick\"").skip(1).map(|part| tick(part).unwrap()).collect()
}

#[test]
fn axes_end_near_their_values() {
    let page = plotted(Axis::log("epoch + 1"), Axis::linear("y"), vec![Series::line("run", vec![(1.0, 0.5), (1001.0, 0.25)])]);
    let texts: Vec<String> = ticks(&page).into_iter().map(|t| t.1).collect();
    assert_eq!(&texts[..4], ["1", "10", "100", "1000"], "no decade without values");
}

#[test]
fn whole_values_have_whole_ticks() {
    let measured = Series::points("measured", vec![(2.0, 0.5), (3.0, 0.25)]);
    let theory = Series::theory("theory", vec![(2.0, 0.5), (2.5, 0.3), (3.0, 0.25)]);
    let page = plotted(Axis::linear("factors"), Axis::log("y"), vec![measured, theory]);
    let texts: Vec<String> = ticks(&page).into_iter().map(|t| t.1).collect();
    assert_eq!(&texts[..2], ["2", "3"]);
    assert!(!texts.contains(&"2.5".to_owned()));
}

#[test]
fn numbers_at_ticks_stay_within_the_drawing() {
    let page = plotted(Axis::linear("step"), Axis::linear("y"), vec![Series::line("run", vec![(0.0, 2.5e-4), (100_000.0, 0.0)])]);
    let (wide, ends) = (12.0, ["100000", "2.000e-4"]);
    for (x, text) in ticks(&page).into_iter().filter(|t| ends.contains(&t.1.as_str())) {
        let breadth = wide * text.len() as f64;
        let (from, to) = if text == "100000" { (x - breadth / 2.0, x + breadth / 2.0) } else { (x - breadth, x) };
        assert!(from >= 0.0 && to <= 600.0, "{text} from {from} to {to}");
    }
    assert!(ends.iter().all(|end| page.contains(&format!(">{end}</text>"))), "{page}");
}

#[test]
fn long_curves_keep_the_marks_of_the_legend() {
    let curve = |y: f64| (0..500).map(|i| (f64::from(i), y)).collect();
    let page = plotted(Axis::linear("x"), Axis::linear("y"), vec![Series::line("a", curve(1.0)), Series::line("b", curve(1.0))]);
    for mark in ["<circle", "width=\"6.4\""] {
        assert_eq!(page.matches(mark).count(), 11, "ten and the legend's of {mark}");
    }
}
