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

mod axis;
mod heat;
mod plot;

pub use axis::Axis;
pub(super) use heat::CELLS;
pub use heat::HeatMap;
pub use plot::{Mark, Plot, Series};

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

/// A cell of a table; a first cell that is text names its row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    /// Set in figures of equal width, to the right.
    Number(String),
    /// A verdict: its word and whether it is good news; never told by colour alone.
    Verdict(String, bool),
    /// The heading of a section of the page, linked to it.
    Section(String),
}

impl Page {
    pub fn new(title: &str, lead: &str) -> Self {
        Page { title: title.into(), lead: lead.into(), headings: vec![], body: String::new(), figures: 0 }
    }

    /// Starts a section; the page lists its sections at the top.
    pub fn section(&mut self, heading: &str) {
        if !self.headings.is_empty() {
            self.body.push_str("</section>\n");
        }
        self.headings.push(heading.into());
        let id = self.headings.len();
        let _ = writeln!(self.body, "<section aria-labelledby=\"s{id}\">\n<h2 id=\"s{id}\">{}</h2>", escape(heading));
    }

    /// A heading within the section.
    pub fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h3>{}</h3>", escape(text));
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
    }

    /// A paragraph that must not be overlooked, such as a warning.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p class=\"note\" role=\"note\">{}</p>", escape(text));
    }

    /// A table, scrolled sideways where the screen is narrow.
    pub fn table(&mut self, caption: &str, headers: &[&str], rows: &[Vec<Cell>]) {
        let _ = writeln!(self.body, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">", escape(caption));
        self.body.push_str(&table(caption, headers, rows));
        self.body.push_str("</div>\n");
    }

    pub fn plot(&mut self, plot: &Plot) {
        let id = self.next_figure();
        let mut drawing = plot.svg(id) + &plot.legend();
        let omitted = plot.omitted();
        if omitted > 0 {
            let _ = writeln!(
                drawing,
                "<p>Points without a place on these axes, such as zeros on a logarithmic one: {omitted}; the numbers have them.</p>"
            );
        }
        let (x, y) = (plot.x.label.as_str(), plot.y.label.as_str());
        let headers = ["series", if x.is_empty() { "x" } else { x }, if y.is_empty() { "y" } else { y }];
        self.figure("curves", &plot.title, &drawing, &headers, &plot.numbers());
    }

    pub fn heat_map(&mut self, map: &HeatMap) {
        self.heat_maps(&map.title, std::slice::from_ref(map));
    }

    /// Matrices side by side, in one scale of colours.
    pub fn heat_maps(&mut self, title: &str, maps: &[HeatMap]) {
        let scale = maps.iter().map(HeatMap::scale).fold(0.0, f64::max);
        let mut drawing = String::from("<div class=\"maps\">\n");
        for map in maps {
            let id = self.next_figure();
            let _ = write!(drawing, "<div>{}", map.svg(id, scale));
            if maps.len() > 1 || map.title != title {
                let _ = write!(drawing, "<p>{}</p>", escape(&map.title));
            }
            drawing.push_str("</div>\n");
        }
        drawing.push_str("</div>\n");
        drawing.push_str(&heat::colour_bar(scale));
        let rows: Vec<Vec<Cell>> = maps.iter().flat_map(HeatMap::numbers).collect();
        self.figure("matrices", title, &drawing, &HeatMap::HEADERS, &rows);
    }

    fn next_figure(&mut self) -> usize {
        self.figures += 1;
        self.figures
    }

    fn figure(&mut self, class: &str, title: &str, drawing: &str, headers: &[&str], rows: &[Vec<Cell>]) {
        let numbers = table(title, headers, rows);
        let title = escape(title);
        let _ = writeln!(
            self.body,
            "<figure class=\"{class}\"><figcaption>{title}</figcaption>\n{drawing}<details><summary>Numbers</summary><div class=\"scroll\" role=\"region\" tabindex=\"0\" \
             aria-label=\"Numbers: {title}\">{numbers}</div></details></figure>",
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
        let mut body = self.body.clone();
        if !self.headings.is_empty() {
            body.push_str("</section>\n");
        }
        // Links to sections that may come later are resolved here; text never holds control characters.
        let mut parts = body.split(LINK);
        let mut linked = parts.next().unwrap_or_default().to_owned();
        for (index, part) in parts.enumerate() {
            if index % 2 == 1 {
                linked.push_str(part);
                continue;
            }
            match self.headings.iter().position(|heading| escape(heading) == part) {
                Some(at) => linked.push_str(&format!("<a href=\"#s{}\">{part}</a>", at + 1)),
                None => linked.push_str(part),
            }
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}{colours}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n<h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n</header>\n\
             {contents}<main id=\"main\">\n{linked}</main>\n<footer>ufm {version}</footer>\n</body>\n</html>\n",
            title = escape(&self.title),
            lead = escape(&self.lead),
            colours = heat::colours(),
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

/// Encloses the text of a link to a section until the page is rendered; `escape` lets none through.
const LINK: char = '\u{1}';
/// Longer texts get a column of their own breadth on narrow screens.
const WIDE: usize = 40;

fn table(caption: &str, headers: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut text = format!("<table><caption><span>{}</span></caption>\n<thead><tr>", escape(caption));
    for (column, header) in headers.iter().enumerate() {
        let class = if matches!(rows.first().and_then(|row| row.get(column)), Some(Cell::Number(_))) { " class=\"number\"" } else { "" };
        let _ = write!(text, "<th scope=\"col\"{class}>{}</th>", escape(header));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let (open, close) = if column == 0 { ("<th scope=\"row\"", "th") } else { ("<td", "td") };
            let _ = match cell {
                Cell::Text(value) if value.len() > WIDE => write!(text, "{open} class=\"wide\">{}</{close}>", escape(value)),
                Cell::Text(value) => write!(text, "{open}>{}</{close}>", escape(value)),
                Cell::Section(value) => write!(text, "{open}>{LINK}{}{LINK}</{close}>", escape(value)),
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
pub(super) fn number(x: f64) -> String {
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

/// Text at 4.5:1 or better on both grounds, most at 7:1; series after Okabe and Ito, told apart by their marks and dashes too.
const STYLE: &str = include_str!("style.css");
