//! Curves and points over two axes.

use std::fmt::Write as _;

use super::axis::Tick;
use super::{Axis, Cell, escape, number};

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Line,
    Points,
    /// What theory predicts: dashed, without marks.
    Theory,
    /// Rings around points of other series that deserve a look.
    Ring,
    /// Crosses over points of other series that do not count.
    Cross,
}

/// Named points (x, y), in drawing order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub mark: Mark,
}

impl Series {
    pub fn line(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Line }
    }

    pub fn points(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Points }
    }

    pub fn theory(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Theory }
    }

    pub fn rings(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Ring }
    }

    pub fn crosses(name: &str, points: Vec<(f64, f64)>) -> Self {
        Series { name: name.into(), points, mark: Mark::Cross }
    }
}

/// Curves over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

// Sizes leave room for the larger type of narrow screens.
const WIDTH: f64 = 600.0;
const FLOOR: f64 = 320.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 40.0;
/// Room for a line of text below the axis.
const LINE: f64 = 26.0;
/// Breadth of a character of the larger type.
const CHARACTER: f64 = 10.0;
/// Breadth of a digit of the larger type, and the room between a number and its axis.
const DIGIT: f64 = 12.0;
const GAP: f64 = 6.0;
/// Slope of names too long to stand side by side, in degrees, its sine and cosine.
const TILT: (f64, f64, f64) = (35.0, 0.58, 0.82);
/// Colours of the page's style.
const COLOURS: usize = 6;
/// Beyond this many points marks on all would hide the line; this many have one then.
const MARKED: usize = 30;
const MARKS: usize = 10;
const DASHES: [&str; 3] = ["", "7 4", "2 4"];

impl Plot {
    pub(super) fn svg(&self, id: usize) -> String {
        let places = |axis: &Axis, pick: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            self.series.iter().flat_map(|s| &s.points).filter_map(|p| axis.place(pick(p))).collect()
        };
        let whole = |pick: fn(&(f64, f64)) -> f64| {
            self.series.iter().filter(|s| s.mark != Mark::Theory).flat_map(|s| &s.points).all(|p| pick(p).fract() == 0.0)
        };
        let x_axis = self.x.ticks(places(&self.x, |p| p.0).into_iter(), whole(|p| p.0));
        let y_axis = self.y.ticks(places(&self.y, |p| p.1).into_iter(), whole(|p| p.1));
        let breadth = |tick: &Tick| tick.text.chars().count() as f64 * DIGIT;
        // A number at the very end of the axis reaches half its breadth beyond.
        let at_end = x_axis.ticks.last().filter(|t| t.place >= x_axis.last).map_or(0.0, |t| breadth(t) / 2.0);
        let right = WIDTH - RIGHT.max(at_end);
        let left = y_axis.ticks.iter().map(|t| breadth(t) + GAP).fold(LEFT, f64::max);
        let to_y = |place: f64| FLOOR - (place - y_axis.first) / (y_axis.last - y_axis.first) * (FLOOR - TOP);
        let longest = x_axis.ticks.iter().map(|t| t.text.chars().count()).max().unwrap_or(0) as f64 * CHARACTER;
        let slot = (right - left) / x_axis.ticks.len().max(1) as f64;
        let tilted = longest > slot;
        // Tilted names reach to the left of the first.
        let left = if tilted { left.max(longest * TILT.2 - slot / 2.0) } else { left };
        let to_x = |place: f64| left + (place - x_axis.first) / (x_axis.last - x_axis.first) * (right - left);
        let below = if tilted { longest * TILT.1 + LINE } else { LINE };
        let height = FLOOR + below + if self.x.label.is_empty() { 4.0 } else { LINE };
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\n<title id=\"t{id}\">{}</title>\n<desc id=\"d{id}\">{}</desc>\n",
            escape(&self.title),
            escape(&self.description())
        );
        for tick in &x_axis.ticks {
            let x = to_x(tick.place);
            let _ = write!(svg, "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{FLOOR}\"/>");
            let y = FLOOR + 20.0;
            let (anchor, turn) =
                if tilted { ("end", format!(" transform=\"rotate(-{} {x:.1} {y})\"", TILT.0)) } else { ("middle", String::new()) };
            let _ =
                writeln!(svg, "<text class=\"tick\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\"{turn}>{}</text>", escape(&tick.text));
        }
        for tick in &y_axis.ticks {
            let y = to_y(tick.place);
            let _ = write!(svg, "<line class=\"grid\" x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
            let (x, y) = (left - GAP, y + 5.0);
            let _ = writeln!(svg, "<text class=\"tick\" x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", escape(&tick.text));
        }
        let _ = writeln!(
            svg,
            "<rect class=\"frame\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            right - left,
            FLOOR - TOP
        );
        let middle = (left + right) / 2.0;
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", height - 6.0, escape(&self.x.label));
        let _ = writeln!(svg, "<text x=\"4\" y=\"18\">{}</text>", escape(&self.y.label));
        for (i, series) in self.series.iter().enumerate() {
            let at: Vec<(f64, f64)> =
                series.points.iter().filter_map(|p| Some((to_x(self.x.place(p.0)?), to_y(self.y.place(p.1)?)))).collect();
            Style::new(i, series.mark).draw(&mut svg, &at);
        }
        for (at, text) in &self.x.markers {
            let Some(x) = self.x.place(*at).map(to_x) else { continue };
            let (anchor, text_x) = if x > middle { ("end", x - 6.0) } else { ("start", x + 6.0) };
            let _ = write!(svg, "<line class=\"marker\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{FLOOR}\"/>");
            let _ = writeln!(svg, "<text x=\"{text_x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>", TOP - 6.0, escape(text));
        }
        for (at, text) in &self.y.markers {
            let Some(y) = self.y.place(*at).map(to_y) else { continue };
            let _ = write!(svg, "<line class=\"marker\" x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
            let _ = writeln!(
                svg,
                "<text class=\"over\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                right - 6.0,
                y - 6.0,
                escape(text)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The series with samples of their lines and marks.
    pub(super) fn legend(&self) -> String {
        let mut text = String::from("<ul class=\"legend\">\n");
        // A series without points keeps its colour for other plots of the page.
        for (i, series) in self.series.iter().enumerate().filter(|(_, s)| !s.points.is_empty()) {
            text.push_str("<li><svg viewBox=\"0 0 36 12\" aria-hidden=\"true\">");
            let style = Style::new(i, series.mark);
            if series.points.len() > 1 {
                style.line(&mut text, &[(0.0, 6.0), (36.0, 6.0)]);
            }
            style.marks(&mut text, &[(18.0, 6.0)]);
            let _ = writeln!(text, "</svg>{}</li>", escape(&series.name));
        }
        text.push_str("</ul>\n");
        text
    }

    /// Points that have no place on the axes.
    pub(super) fn omitted(&self) -> usize {
        let placed = |p: &&(f64, f64)| self.x.place(p.0).is_some() && self.y.place(p.1).is_some();
        self.series.iter().flat_map(|s| &s.points).filter(|p| !placed(p)).count()
    }

    /// All points, the text alternative in full.
    pub(super) fn numbers(&self) -> Vec<Vec<Cell>> {
        let point =
            |s: &Series, p: &(f64, f64)| vec![Cell::Text(s.name.clone()), Cell::Number(self.x.text(p.0)), Cell::Number(self.y.text(p.1))];
        self.series.iter().flat_map(|s| s.points.iter().map(|p| point(s, p)).collect::<Vec<_>>()).collect()
    }

    /// The drawing in words: ends of every series.
    fn description(&self) -> String {
        let mut text = format!("{} against {}.", self.y.label, self.x.label);
        for series in &self.series {
            if let (Some(first), Some(last)) = (series.points.first(), series.points.last()) {
                let _ = write!(
                    text,
                    " {}: from {} at {} to {} at {}, {} points.",
                    series.name,
                    number(first.1),
                    self.x.text(first.0),
                    number(last.1),
                    self.x.text(last.0),
                    series.points.len()
                );
            }
        }
        for (axis, (at, marker)) in [&self.x, &self.y].into_iter().flat_map(|axis| axis.markers.iter().map(move |m| (axis, m))) {
            let _ = write!(text, " {marker}: {}.", axis.text(*at));
        }
        text
    }
}

/// Colour, dash and mark of the i-th series: no two agree in all three before the eighteenth.
struct Style {
    index: usize,
    mark: Mark,
}

impl Style {
    fn new(index: usize, mark: Mark) -> Self {
        Style { index, mark }
    }

    fn colour(&self) -> String {
        format!("var(--s{})", self.index % COLOURS)
    }

    fn draw(&self, svg: &mut String, at: &[(f64, f64)]) {
        self.line(svg, at);
        if self.mark != Mark::Line || at.len() <= MARKED {
            self.marks(svg, at);
        } else {
            // Curves that meet have their marks at different places.
            let stride = at.len().div_ceil(MARKS);
            let some: Vec<(f64, f64)> = at.iter().copied().skip(self.index % 4 * stride / 4).step_by(stride).collect();
            self.marks(svg, &some);
        }
    }

    fn line(&self, svg: &mut String, at: &[(f64, f64)]) {
        if !matches!(self.mark, Mark::Line | Mark::Theory) || at.len() < 2 {
            return;
        }
        let dash = if self.mark == Mark::Theory { DASHES[1] } else { DASHES[self.index / COLOURS % DASHES.len()] };
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let path: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{}\" stroke=\"{}\"{dash}/>", path.join(" "), self.colour());
    }

    fn marks(&self, svg: &mut String, at: &[(f64, f64)]) {
        if self.mark == Mark::Theory {
            return;
        }
        let colour = self.colour();
        for &(x, y) in at {
            let _ = match (self.mark, (self.index + self.index / COLOURS) % 3) {
                (Mark::Ring, _) => {
                    writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"none\" stroke=\"var(--bad)\" stroke-width=\"2\"/>")
                }
                (Mark::Cross, _) => {
                    let (left, top) = (x - 5.0, y - 5.0);
                    writeln!(svg, "<path d=\"M{left:.1} {top:.1}l10 10m0 -10l-10 10\" stroke=\"var(--text)\" stroke-width=\"1.5\"/>")
                }
                (_, 0) => writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"),
                (_, 1) => writeln!(svg, "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"6.4\" height=\"6.4\" fill=\"{colour}\"/>", x - 3.2, y - 3.2),
                _ => writeln!(
                    svg,
                    "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" fill=\"{colour}\"/>",
                    x,
                    y - 4.4,
                    x - 4.0,
                    y + 3.2,
                    x + 4.0,
                    y + 3.2
                ),
            };
        }
    }
}
