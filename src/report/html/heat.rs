//! Matrices in colours.

use std::fmt::Write as _;

use faer::Mat;

use super::{Cell, escape, number};

/// A matrix in colours: blue below zero, orange above, fading towards it with the square root of an entry's size, so that small
/// entries show beside large ones.
#[derive(Debug, Clone)]
pub struct HeatMap {
    pub title: String,
    pub matrix: Mat<f64>,
}

/// Cells drawn along a side; larger matrices are shown by means of blocks.
pub(in crate::report) const CELLS: usize = 64;
/// Shades on either side of zero.
const SHADES: i32 = 24;
/// Matrices up to this size have all their entries in the table of numbers.
const LISTED: usize = 12;

impl HeatMap {
    pub(super) const HEADERS: [&'static str; 5] = ["matrix", "entries", "least", "mean", "largest"];

    /// Largest size of an entry that is a number.
    pub(super) fn scale(&self) -> f64 {
        self.entries().map(f64::abs).filter(|x| x.is_finite()).fold(0.0, f64::max)
    }

    fn entries(&self) -> impl Iterator<Item = f64> {
        self.matrix.col_iter().flat_map(|c| c.iter().copied())
    }

    /// Least entry, mean and largest of those picked.
    fn summary(&self, pick: impl Fn(usize, usize) -> bool) -> Option<(f64, f64, f64)> {
        let (m, n) = self.matrix.shape();
        let picked: Vec<f64> =
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|&(i, j)| pick(i, j)).map(|(i, j)| self.matrix[(i, j)]).collect();
        let (least, largest) = picked.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
        (least <= largest).then(|| (least, picked.iter().sum::<f64>() / picked.len() as f64, largest))
    }

    fn is_square(&self) -> bool {
        self.matrix.nrows() == self.matrix.ncols() && self.matrix.nrows() > 1
    }

    /// The parts of the matrix that are summed up: diagonal and the rest of square ones.
    fn parts(&self) -> Vec<(&'static str, (f64, f64, f64))> {
        let parts = if self.is_square() {
            vec![("diagonal", self.summary(|i, j| i == j)), ("off the diagonal", self.summary(|i, j| i != j))]
        } else {
            vec![("all", self.summary(|_, _| true))]
        };
        parts.into_iter().filter_map(|(name, s)| Some((name, s?))).collect()
    }

    /// Rows of the table of numbers: the parts, then every entry of a small matrix.
    pub(super) fn numbers(&self) -> Vec<Vec<Cell>> {
        let row = |name: String, (least, mean, largest): (f64, f64, f64)| {
            let numbers = [least, mean, largest].map(|x| Cell::Number(number(x)));
            [vec![Cell::Text(self.title.clone()), Cell::Text(name)], numbers.into()].concat()
        };
        let mut rows: Vec<Vec<Cell>> = self.parts().into_iter().map(|(name, s)| row(name.into(), s)).collect();
        let (m, n) = self.matrix.shape();
        if m.max(n) <= LISTED {
            let entry = |(i, j): (usize, usize)| row(format!("({}, {})", i + 1, j + 1), [self.matrix[(i, j)]; 3].into());
            rows.extend((0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(entry));
        }
        rows
    }

    /// Means of blocks, at most [`CELLS`] along a side.
    fn blocks(&self) -> Mat<f64> {
        let (m, n) = self.matrix.shape();
        let (rows, cols) = (block_bounds(m), block_bounds(n));
        Mat::from_fn(rows.len() - 1, cols.len() - 1, |i, j| {
            let block = self.matrix.submatrix(rows[i], cols[j], rows[i + 1] - rows[i], cols[j + 1] - cols[j]);
            block.sum() / (block.nrows() * block.ncols()) as f64
        })
    }

    pub(super) fn svg(&self, id: usize, scale: f64) -> String {
        let blocks = self.blocks();
        let (m, n) = blocks.shape();
        let mut description = format!("A {} x {} matrix", self.matrix.nrows(), self.matrix.ncols());
        for (name, (least, _, largest)) in self.parts() {
            let _ = write!(description, ", {name} from {} to {}", number(least), number(largest));
        }
        if (m, n) != self.matrix.shape() {
            let _ = write!(description, ", shown as means of {m} x {n} blocks");
        }
        let mut svg = format!(
            "<svg viewBox=\"0 0 {} {}\" shape-rendering=\"crispEdges\" role=\"img\" aria-labelledby=\"t{id} d{id}\">\n<title id=\"t{id}\">{}</title>\n\
             <desc id=\"d{id}\">{description}.</desc>\n",
            n.max(1),
            m.max(1),
            escape(&self.title),
        );
        // One path for each shade; neighbours of one shade in a row are one run.
        let mut paths = vec![String::new(); 2 * SHADES as usize + 2];
        for i in 0..m {
            let mut j = 0;
            while j < n {
                let shade = shade(blocks[(i, j)], scale);
                let start = j;
                while j < n && self::shade(blocks[(i, j)], scale) == shade {
                    j += 1;
                }
                let run = j - start;
                let _ = write!(paths[shade], "M{start} {i}h{run}v1h-{run}z");
            }
        }
        for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let _ = writeln!(svg, "<path class=\"h{shade}\" d=\"{path}\"/>");
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Ends of the blocks that `size` rows are shown in: all of them when there are few.
fn block_bounds(size: usize) -> Vec<usize> {
    let parts = size.min(CELLS);
    (0..=parts).map(|i| i * size / parts.max(1)).collect()
}

/// Index of a shade: 0 the most negative, `SHADES` zero, `2 SHADES` the most positive, one more for what is no number.
fn shade(x: f64, scale: f64) -> usize {
    if x.is_nan() {
        return 2 * SHADES as usize + 1;
    }
    let t = if scale > 0.0 { (x / scale).clamp(-1.0, 1.0) } else { 0.0 };
    let root = t.abs().sqrt().copysign(t);
    ((root * f64::from(SHADES)).round() as i32 + SHADES) as usize
}

/// The scale of colours below heat maps.
pub(super) fn colour_bar(scale: f64) -> String {
    let count = 2 * SHADES + 1;
    let mut text = format!(
        "<div class=\"scale\"><span>{}</span><svg viewBox=\"0 0 {count} 1\" preserveAspectRatio=\"none\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">",
        number(-scale)
    );
    for shade in 0..count {
        let _ = write!(text, "<rect class=\"h{shade}\" x=\"{shade}\" width=\"1\" height=\"1\"/>");
    }
    let _ = writeln!(text, "</svg><span>{}</span></div>", number(scale));
    text
}

/// Colours of the shades on a light ground and on a dark one.
pub(super) fn colours() -> String {
    let palette = |zero: [f64; 3], below: [f64; 3], above: [f64; 3]| {
        let mut text = String::new();
        for shade in 0..=2 * SHADES {
            let t = f64::from(shade - SHADES) / f64::from(SHADES);
            let end = if t < 0.0 { below } else { above };
            let channel = |i: usize| (zero[i] + (end[i] - zero[i]) * t.abs()).round() as u8;
            let _ = write!(text, ".h{shade}{{fill:#{:02x}{:02x}{:02x}}}", channel(0), channel(1), channel(2));
        }
        text
    };
    let light = palette([250.0; 3], [0.0, 84.0, 150.0], [196.0, 84.0, 0.0]);
    let dark = palette([24.0, 30.0, 37.0], [110.0, 190.0, 255.0], [255.0, 170.0, 80.0]);
    let unknown = 2 * SHADES + 1;
    format!("{light}.h{unknown}{{fill:#888888}}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n")
}
