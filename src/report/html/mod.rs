//! Reports for people: one self-contained HTML file, drawn in SVG, that needs no network and no script.
//!
//! Pages follow the reader's light or dark setting and the width of the screen; every drawing has a text alternative and its numbers
//! in a table that unfolds.
//!
//! ```
//! use ufm::report::html::{Axis, Page, Plot, Series};
//! let mut page = Page::new("Collapse", "Within-class variability over training.");
//! page.section("Curves");
//! let series = Series::line("nc1", vec![(1.0, 0.5), (10.0, 1e-3), (100.0, 1e-9)]);
//! page.plot(&Plot { title: "NC1".into(), x: Axis::log("epoch"), y: Axis::log("nc1"), series: vec![series] });
//! assert!(page.render().starts_with("<!DOCTYPE html>"));
//! ```

mod heat;
mod plot;

pub use heat::HeatMap;
pub use plot::{Axis, Mark, Plot, Series};

use std::fmt::Write as _;

/// A page under construction: sections in reading order.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    lead: String,
    headings: Vec<String>,
    body: String,
    figures: usize,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// Set in figures of equal width, to the right.
    Number(String),
    /// A verdict: its word and whether it is good news; never told by colour alone.
    Verdict(String, bool),
}

impl Page {
    pub fn new(title: &str, lead: &str) -> Self {
        Page { title: title.into(), lead: lead.into(), headings: vec![], body: String::new(), figures: 0 }
    }

    /// Starts a section; the page lists its sections at the top.
    pub fn section(&mut self, heading: &str) {
        self.headings.push(heading.into());
        let _ = writeln!(self.body, "<h2 id=\"s{}\">{}</h2>", self.headings.len(), escape(heading));
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// A table, scrolled sideways where the screen is narrow.
    pub fn table(&mut self, caption: &str, headers: &[&str], rows: &[Vec<Cell>]) {
        let _ = writeln!(self.body, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">", escape(caption));
        self.body.push_str(&table(caption, headers, rows));
        self.body.push_str("</div>\n");
    }

    pub fn plot(&mut self, plot: &Plot) {
        let (x, y) = (plot.x.label.as_str(), plot.y.label.as_str());
        let rows: Vec<Vec<Cell>> = plot
            .series
            .iter()
            .flat_map(|s| s.points.iter().map(|p| vec![Cell::Text(s.name.clone()), Cell::Number(number(p.0)), Cell::Number(number(p.1))]))
            .collect();
        let svg = plot.svg(self.next_figure());
        self.figure(&plot.title, &svg, &["series", x, y], &rows);
    }

    pub fn heat_map(&mut self, map: &HeatMap) {
        let svg = map.svg(self.next_figure());
        let (least, largest) = map.range();
        let rows = vec![vec![Cell::Number(map.rows().to_string()), Cell::Number(number(least)), Cell::Number(number(largest))]];
        self.figure(&map.title, &svg, &["rows", "least entry", "largest entry"], &rows);
    }

    fn next_figure(&mut self) -> usize {
        self.figures += 1;
        self.figures
    }

    fn figure(&mut self, title: &str, svg: &str, headers: &[&str], rows: &[Vec<Cell>]) {
        let numbers = table(title, headers, rows);
        let _ = writeln!(
            self.body,
            "<figure><figcaption>{}</figcaption>\n{svg}<details><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\">{numbers}</div></details></figure>",
            escape(title)
        );
    }

    /// The whole page.
    pub fn render(&self) -> String {
        let mut contents = String::new();
        if self.headings.len() > 1 {
            contents.push_str("<nav aria-label=\"Sections\"><ul>\n");
            for (i, heading) in self.headings.iter().enumerate() {
                let _ = writeln!(contents, "<li><a href=\"#s{}\">{}</a></li>", i + 1, escape(heading));
            }
            contents.push_str("</ul></nav>\n");
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
             <p class=\"lead\">{lead}</p>\n{contents}{body}</main>\n<footer>ufm {version}</footer>\n</body>\n</html>\n",
            title = escape(&self.title),
            lead = escape(&self.lead),
            body = self.body,
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

fn table(caption: &str, headers: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut text = format!("<table><caption>{}</caption>\n<thead><tr>", escape(caption));
    for header in headers {
        let _ = write!(text, "<th scope=\"col\">{}</th>", escape(header));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for cell in row {
            let _ = match cell {
                Cell::Text(value) => write!(text, "<td>{}</td>", escape(value)),
                Cell::Number(value) => write!(text, "<td class=\"number\">{}</td>", escape(value)),
                Cell::Verdict(value, good) => {
                    let (class, sign) = if *good { ("good", "\u{2713}") } else { ("bad", "\u{2717}") };
                    write!(text, "<td class=\"{class}\"><span aria-hidden=\"true\">{sign}</span> {}</td>", escape(value))
                }
            };
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table>\n");
    text
}

/// A measured number for reading: four significant digits.
fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || !x.is_finite() {
        x.to_string()
    } else if (1e-3..1e6).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        let text = format!("{x:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{x:.3e}")
    }
}

/// Text for HTML and its attributes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML has no place for control characters, which names from files may carry.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
        out
    })
}

/// Colours: text at 7:1 or better on both grounds; series after Okabe and Ito, told apart by their marks and dashes too.
const STYLE: &str = "\
:root { --ground: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --good: #0b5d33; --bad: #a11226;
  --s0: #0072b2; --s1: #b84a00; --s2: #007a5a; --s3: #a0477f; --s4: #6b5b00; --s5: #1b1f24; }
@media (prefers-color-scheme: dark) { :root { --ground: #0f1419; --text: #e6edf3; --soft: #a8b3bf; --line: #3b444d; --good: #6fdc9c; --bad: #ff9aa5;
  --s0: #56b4e9; --s1: #f0a050; --s2: #4fd1a5; --s3: #e79ac8; --s4: #e6d35a; --s5: #e6edf3; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
main, footer { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
.lead, footer { color: var(--soft); } a { color: var(--s0); }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; min-width: 50%; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.good { color: var(--good); white-space: nowrap; } .bad { color: var(--bad); white-space: nowrap; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; margin-bottom: .4rem; }
svg { width: 100%; height: auto; max-width: 46rem; display: block; } svg.square { max-width: 24rem; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; } svg .tick { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .frame { stroke: var(--soft); fill: none; }
details { margin-top: .4rem; color: var(--soft); } summary { cursor: pointer; }
";
