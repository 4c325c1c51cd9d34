//! The page of `ufm metrics --report`: one set of features, a network's layers, or epochs.

use super::html::{Axis, CELLS, Cell, HeatMap, Page, Plot, Series};
use super::metrics::digits_shown;
use super::table::three_digits;
use crate::metrics::{Convention, MapMetrics, Measured, Picture, Portrait, formula};

/// What the entries of a series are.
#[derive(Debug, Clone, Copy)]
pub enum SeriesKind<'a> {
    /// One set of features.
    Single,
    /// Layers of a network, from the input on.
    Layers {
        /// What each layer's outgoing weights say, where they were given.
        weights: &'a [Option<MapMetrics>],
        /// Index of the effective depth, and the tolerance it was found with.
        depth: Option<(usize, f64)>,
    },
    /// Snapshots of one layer during training.
    Epochs,
}

/// Entries of a series whose pictures are drawn, and whose columns the table has.
const DRAWN: usize = 6;
/// Points of a spectrum that are drawn.
const SPECTRUM_POINTS: usize = 200;
/// Distance to a frame, of at most √2, from which features are not called near to it.
const FAR: f64 = 0.5;
/// Warnings shown in full.
const WARNINGS: usize = 12;
/// Factor between first and last epoch from which their axis is logarithmic.
const LOG_EPOCHS: f64 = 10.0;

/// Curves drawn together: title, label, whether the axis is logarithmic, the metrics.
type Panel = (&'static str, &'static str, bool, &'static [&'static str]);
const PANELS: [Panel; 5] = [
    ("Within-class variability", "variability", true, &["nc1", "nc1_quotient", "cdnv"]),
    ("Distance to the frames", "distance", true, &["nc2_etf", "nc2_of", "nc2_etf_w", "nc2_of_w"]),
    ("Spread of norms and angles", "spread", true, &["equinorm_means", "equiangle_means", "equinorm_w", "equiangle_w"]),
    ("Classifier and class means", "distance", true, &["nc3_etf", "nc3_of", "nc3_align", "nc3_cos"]),
    ("Errors", "fraction of samples", false, &["ncc_error", "classifier_error", "nc4"]),
];

/// Panels in which the effective depth is marked.
const MARKED: [&str; 2] = ["Within-class variability", "Errors"];
/// Metrics drawn over the epochs of several layers: title, name, whether the axis is logarithmic.
const HISTORY: [(&str, &str, bool); 8] = [
    ("Within-class variability", "nc1", true),
    ("Within-class over between-class variability", "nc1_quotient", true),
    ("Class-distance normalized variance", "cdnv", true),
    ("Centred class means beside a simplex ETF", "nc2_etf", true),
    ("Class means beside an orthogonal frame", "nc2_of", true),
    ("Classifier beside the class means", "nc3", true),
    ("Nearest-class-mean error", "ncc_error", false),
    ("Effective rank of the class means", "effective_rank_means", false),
];

/// Most cells along a side of a portrait's pictures on a page.
pub const PICTURE_SIDE: usize = CELLS;

/// Indices of the entries that a page draws: all of a few, else evenly spread with both ends.
pub fn drawn_entries(count: usize) -> Vec<usize> {
    let parts = count.min(DRAWN);
    (0..parts).map(|i| if parts == 1 { 0 } else { i * (count - 1) / (parts - 1) }).collect()
}

/// Layers under their names, at an epoch under its.
pub type Epoch<'a> = (&'a str, &'a [(String, Measured)]);

/// The page: `source` names the file or folder; `portraits` stand at the entries of [`drawn_entries`]. `history` has the same layers
/// at each epoch, the last one's being `series`, when there are several epochs.
///
/// # Panics
/// When the series is empty.
pub fn collapse_page(
    source: &str,
    series: &[(String, Measured)],
    portraits: &[Option<Portrait>],
    kind: SeriesKind<'_>,
    history: &[Epoch<'_>],
) -> Page {
    let (_, last) = &series[series.len() - 1];
    let of_one = format!("{} samples in {} classes", last.samples, last.classes);
    let convention = last.convention.name();
    let (title, lead) = match kind {
        SeriesKind::Single => {
            (format!("Neural collapse of {source}"), format!("{of_one}, dimension {}; convention {convention}.", last.dim))
        }
        SeriesKind::Layers { .. } if history.len() > 1 => (
            format!("Neural collapse of {source}, layer by layer over training"),
            format!("{of_one}, {} layers, {} epochs; convention {convention}.", series.len(), history.len()),
        ),
        SeriesKind::Layers { .. } => {
            (format!("Neural collapse of {source}, layer by layer"), format!("{of_one}, {} layers; convention {convention}.", series.len()))
        }
        SeriesKind::Epochs => {
            (format!("Neural collapse of {source} over training"), format!("{of_one}, {} epochs; convention {convention}.", series.len()))
        }
    };
    let mut page = Page::new(&title, &lead);
    summary(&mut page, series, kind, history);
    if history.len() > 1 {
        page.section("Over training");
        over_training(&mut page, history);
    }
    if !matches!(kind, SeriesKind::Single) {
        page.section(if history.len() > 1 { "Layers at the last epoch" } else { "Curves" });
        curves(&mut page, series, kind);
    }
    page.section("Metrics");
    if let [(_, m)] = series {
        single_table(&mut page, m);
    } else {
        series_table(&mut page, series);
    }
    let drawn: Vec<(&str, &Portrait)> =
        series.iter().zip(portraits).filter_map(|((name, _), portrait)| Some((name.as_str(), portrait.as_ref()?))).collect();
    geometry(&mut page, &drawn);
    spectra(&mut page, &drawn);
    reading(&mut page, last.convention);
    page
}

fn summary(page: &mut Page, series: &[(String, Measured)], kind: SeriesKind<'_>, history: &[Epoch<'_>]) {
    page.section("Summary");
    let ((first_name, first), (last_name, last)) = (&series[0], &series[series.len() - 1]);
    let frames = [("a simplex equiangular tight frame", last.get("nc2_etf")), ("an orthogonal frame", last.get("nc2_of"))];
    let value = |m: &Measured, name: &str| m.get(name).map(|v| three_digits(v.value));
    let mut sentences = vec![];
    let change = |of: String, from: &Measured, to: &Measured| {
        let one = |name: &str| Some(format!("{name} from {} to {}", value(from, name)?, value(to, name)?));
        let changes: Vec<String> = ["nc1", "nc1_quotient", "nc2_etf", "nc3", "ncc_error"].into_iter().filter_map(one).collect();
        (!changes.is_empty()).then(|| format!("{of}: {}.", changes.join(", ")))
    };
    if let [(first_epoch, layers), .., (last_epoch, _)] = history
        && let Some((layer, before)) = layers.last()
    {
        sentences.extend(change(format!("Over training, from {first_epoch} to {last_epoch}, at {layer}"), before, last));
    }
    if series.len() > 1 {
        let at = history.last().filter(|_| history.len() > 1).map_or_else(String::new, |(epoch, _)| format!("At {epoch}, "));
        let from = if at.is_empty() { "From " } else { "from " };
        sentences.extend(change(format!("{at}{from}{first_name} to {last_name}"), first, last));
    } else if let Some(nc1) = value(last, "nc1") {
        sentences.push(format!("Within-class variability nc1 is {nc1}."));
    }
    if let [(a, Some(x)), (b, Some(y))] = frames {
        let ((near, least), (far, most)) = if x.value <= y.value { ((a, x.value), (b, y.value)) } else { ((b, y.value), (a, x.value)) };
        let of = if series.len() > 1 { format!("The class means of {last_name}") } else { "The class means".into() };
        let (least, most) = (three_digits(least), three_digits(most));
        sentences.push(if x.value.min(y.value) > FAR {
            format!("{of} are far from {near} ({least}) and from {far} ({most}).")
        } else {
            format!("{of} are nearer to {near} ({least}) than to {far} ({most}).")
        });
    }
    if let SeriesKind::Layers { depth: Some((at, tolerance)), .. } = kind {
        sentences.push(format!(
            "Effective depth: {} (layer {} of {}), the first whose nearest-class-mean error is within {tolerance} of the last layer's.",
            series[at].0,
            at + 1,
            series.len()
        ));
    }
    sentences.iter().for_each(|sentence| page.paragraph(sentence));
    let mut warnings: Vec<String> = vec![];
    for (name, m) in series {
        for warning in &m.warnings {
            let text = if series.len() > 1 { format!("Warning, {name}: {warning}.") } else { format!("Warning: {warning}.") };
            warnings.push(text);
        }
    }
    warnings.iter().take(WARNINGS).for_each(|warning| page.note(warning));
    if warnings.len() > WARNINGS {
        page.note(&format!("{} more warnings; ufm metrics prints them all.", warnings.len() - WARNINGS));
    }
}

/// The number of an epoch's name, its last run of digits.
fn epoch(name: &str) -> Option<f64> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
    name[start..end].parse().ok()
}

/// The axis of epochs and where each stands: by their numbers where all have one, by name otherwise.
fn epoch_axis(names: Vec<String>) -> (Axis, Vec<f64>) {
    let epochs: Vec<f64> = names.iter().filter_map(|name| epoch(name)).collect();
    if epochs.len() == names.len() && epochs.is_sorted_by(|a, b| a < b) {
        let shift = if epochs[0] == 0.0 { 1.0 } else { 0.0 };
        let at: Vec<f64> = epochs.iter().map(|e| e + shift).collect();
        if at[at.len() - 1] >= LOG_EPOCHS * at[0] {
            return (Axis::log(if shift > 0.0 { "epoch + 1" } else { "epoch" }), at);
        }
        return (Axis::linear("epoch"), epochs);
    }
    let at = (1..=names.len()).map(|i| i as f64).collect();
    (Axis::named("", names), at)
}

/// Each metric over the epochs, a curve for each layer.
fn over_training(page: &mut Page, history: &[Epoch<'_>]) {
    let (x, at) = epoch_axis(history.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (title, metric, log) in HISTORY {
        let curve = |(layer, (name, _)): (usize, &(String, Measured))| {
            let value = |(place, (_, series)): (&f64, &Epoch<'_>)| Some((*place, series.get(layer)?.1.get(metric)?.value));
            Series::line(name, at.iter().zip(history).filter_map(value).collect())
        };
        let series: Vec<Series> = history[0].1.iter().enumerate().map(curve).collect();
        if series.iter().any(|s| !s.points.is_empty()) {
            let mut y = if log { Axis::log(metric) } else { Axis::linear(metric) };
            if let ("effective_rank_means", Some((_, m))) = (metric, history[0].1.first()) {
                y = y.marker((m.classes - 1) as f64, "K \u{2212} 1");
            }
            page.plot(&Plot { title: title.into(), x: x.clone(), y, series });
        }
    }
}

/// The axis of a series and where each entry stands.
fn axis(series: &[(String, Measured)], kind: SeriesKind<'_>) -> (Axis, Vec<f64>) {
    let names: Vec<String> = series.iter().map(|(name, _)| name.clone()).collect();
    if let SeriesKind::Epochs = kind {
        return epoch_axis(names);
    }
    (Axis::named("", names), (1..=series.len()).map(|i| i as f64).collect())
}

fn curves(page: &mut Page, series: &[(String, Measured)], kind: SeriesKind<'_>) {
    let (x, at) = axis(series, kind);
    let depth = match kind {
        SeriesKind::Layers { depth: Some((at, _)), .. } => Some((at + 1) as f64),
        _ => None,
    };
    let points = |value: &dyn Fn(usize) -> Option<f64>| -> Vec<(f64, f64)> {
        at.iter().enumerate().filter_map(|(i, &place)| Some((place, value(i)?))).collect()
    };
    let curve = |name: &str| Series::line(name, points(&|i| Some(series[i].1.get(name)?.value)));
    let mut draw = |title: &str, y: Axis, series: Vec<Series>| {
        // What only the last layer has is in the table.
        if series.iter().any(|s| s.points.len() > 1) {
            let x = depth.filter(|_| MARKED.contains(&title)).map_or_else(|| x.clone(), |at| x.clone().marker(at, "effective depth"));
            page.plot(&Plot { title: title.into(), x, y, series });
        }
    };
    for (title, label, log, names) in PANELS {
        let y = if log { Axis::log(label) } else { Axis::linear(label) };
        draw(title, y, names.iter().map(|name| curve(name)).collect());
    }
    let classes = series[0].1.classes;
    let mut ranks = vec![curve("effective_rank_means"), curve("stable_rank_means")];
    if let SeriesKind::Layers { weights, .. } = kind {
        let of = |pick: fn(&MapMetrics) -> Option<f64>| points(&|i| pick(weights.get(i)?.as_ref()?));
        ranks.push(Series::line("effective rank of the outgoing weights", of(|w| Some(w.effective_rank))));
        ranks.push(Series::line("stable rank of the outgoing weights", of(|w| Some(w.stable_rank))));
        draw("Ranks", Axis::linear("rank").marker((classes - 1) as f64, "K \u{2212} 1"), ranks);
        let mean =
            |w: &MapMetrics| Some(w.principal_cosines.iter().sum::<f64>() / w.principal_cosines.len() as f64).filter(|x| x.is_finite());
        let cosines = vec![
            Series::line("mean", of(mean)),
            Series::line("least", of(|w| w.principal_cosines.last().copied())),
            Series::line("largest", of(|w| w.principal_cosines.first().copied())),
        ];
        draw("Class means in the next weights' leading singular space", Axis::linear("cosine of principal angles"), cosines);
    } else {
        draw("Ranks", Axis::linear("rank").marker((classes - 1) as f64, "K \u{2212} 1"), ranks);
    }
}

fn single_table(page: &mut Page, m: &Measured) {
    let rows: Vec<Vec<Cell>> = m
        .metrics
        .iter()
        .map(|(name, value)| {
            let (shown, bound) = value.map_or_else(|| ("undefined".into(), String::new()), digits_shown);
            let formula = formula(name, m.convention).unwrap_or_default();
            vec![Cell::Text((*name).into()), Cell::Number(shown), Cell::Number(bound), Cell::Text(formula.into())]
        })
        .collect();
    page.table(
        "Values to the digits that their error bounds support; the bounds hold for the data as given",
        &["metric", "value", "error bound", "formula"],
        &rows,
    );
}

fn series_table(page: &mut Page, series: &[(String, Measured)]) {
    let columns: Vec<&(String, Measured)> = drawn_entries(series.len()).into_iter().map(|i| &series[i]).collect();
    let mut names: Vec<&str> = vec![];
    for (name, _) in columns.iter().flat_map(|(_, m)| &m.metrics) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let dimensions = columns.iter().map(|(_, m)| Cell::Number(m.dim.to_string()));
    let mut rows = vec![[vec![Cell::Text("dimension".into())], dimensions.collect(), vec![Cell::Text("d".into())]].concat()];
    for name in names {
        let value = |m: &Measured| match m.metrics.iter().find(|(n, _)| *n == name) {
            Some((_, value)) => value.map_or_else(|| "undefined".to_owned(), |v| three_digits(v.value)),
            None => "-".into(),
        };
        let values = columns.iter().map(|(_, m)| Cell::Number(value(m))).collect();
        let formula = formula(name, columns[0].1.convention).unwrap_or_default();
        rows.push([vec![Cell::Text(name.into())], values, vec![Cell::Text(formula.into())]].concat());
    }
    let headers: Vec<&str> = std::iter::once("metric").chain(columns.iter().map(|(name, _)| name.as_str())).chain(["formula"]).collect();
    let caption = if columns.len() < series.len() {
        format!("{} of {} entries, three digits; --csv writes all of them with their error bounds", columns.len(), series.len())
    } else {
        "Three digits; --csv writes all of them with their error bounds".into()
    };
    page.table(&caption, &headers, &rows);
}

/// A picture's plain name.
fn describe(name: &str) -> &'static str {
    match name {
        "M\u{303}\u{1d40}M\u{303}" => "Gram matrix of the centred class means",
        "M\u{1d40}M" => "Gram matrix of the class means",
        "WW\u{1d40}" => "Gram matrix of the classifier's rows",
        _ => "Classifier times centred class means",
    }
}

fn geometry(page: &mut Page, drawn: &[(&str, &Portrait)]) {
    let Some((last_name, last)) = drawn.last().filter(|(_, p)| !p.pictures.is_empty()) else { return };
    page.section("Geometry");
    let cells = last.pictures[0].matrix.nrows();
    let mut text = String::from(
        "Matrices are scaled to Frobenius norm one, as their targets are; the colours of a row share one scale and go by the square root of an entry's size.",
    );
    if cells < last.classes {
        text += &format!(
            " With {} classes a cell is the mean over a block of about {} x {} classes, in the targets as well.",
            last.classes,
            last.classes.div_ceil(cells),
            last.classes.div_ceil(cells)
        );
    }
    page.paragraph(&text);
    let map = |title: String, matrix: &faer::Mat<f64>| HeatMap { title, matrix: matrix.clone() };
    let targets =
        |picture: &Picture| picture.targets.iter().map(|(name, target)| map(format!("target {name}"), target)).collect::<Vec<_>>();
    if drawn.len() > 1 {
        let of_means = |p: &Portrait| p.pictures.first().filter(|picture| picture.name == last.pictures[0].name).cloned();
        let mut maps: Vec<HeatMap> = drawn.iter().filter_map(|(name, p)| Some(map((*name).into(), &of_means(p)?.matrix))).collect();
        maps.extend(targets(&last.pictures[0]));
        page.heat_maps(&format!("{}, from first to last", describe(last.pictures[0].name)), &maps);
    }
    for picture in &last.pictures[usize::from(drawn.len() > 1)..] {
        let mut maps = vec![map(format!("measured {}", picture.name), &picture.matrix)];
        maps.extend(targets(picture));
        let of = if drawn.len() > 1 { format!(", {last_name}") } else { String::new() };
        page.heat_maps(&format!("{}{of}", describe(picture.name)), &maps);
    }
}

/// Points (i, value), i from 1; evenly thinned where there are many.
fn spectrum(values: &[f64], scale: f64) -> Vec<(f64, f64)> {
    let count = values.len().min(SPECTRUM_POINTS);
    let index = |i: usize| if count < 2 { 0 } else { i * (values.len() - 1) / (count - 1) };
    (0..count).map(|i| ((index(i) + 1) as f64, values[index(i)] / scale)).collect()
}

fn spectra(page: &mut Page, drawn: &[(&str, &Portrait)]) {
    let Some((_, last)) = drawn.last() else { return };
    page.section("Spectra");
    let plot = |page: &mut Page, title: &str, label: &str, series: Vec<Series>| {
        if series.iter().any(|s| !s.points.is_empty()) {
            page.plot(&Plot { title: title.into(), x: Axis::linear("index"), y: Axis::log(label), series });
        }
    };
    if drawn.len() == 1 {
        let mut series = vec![Series::line("between classes: centred class means", spectrum(&last.between, 1.0))];
        match last.within.as_deref() {
            Some([]) => {
                page.paragraph("The within-class covariance is zero up to the rounding of its computation: there is nothing to draw.")
            }
            Some(within) => series.push(Series::line("within classes", spectrum(within, 1.0))),
            None => page.paragraph("The dimension is too large for the spectrum of the within-class covariance."),
        }
        page.paragraph("Standard deviations along principal axes: singular values of the centred class means over √K, and square roots of the eigenvalues of S_W. At collapse to a simplex ETF the first are K − 1 equal numbers, the second zero.");
        plot(page, "Between and within classes", "standard deviation", series);
        plot(page, "Classifier", "singular value", vec![Series::line("W", spectrum(&last.classifier, 1.0))]);
        return;
    }
    page.paragraph("Standard deviations along principal axes, each entry's divided by its own largest between classes. At collapse to a simplex ETF those between classes are K − 1 equal numbers, those within classes zero.");
    let of = |pick: fn(&Portrait) -> Option<&[f64]>| -> Vec<Series> {
        let one = |(name, p): &(&str, &Portrait)| {
            let scale = p.between.first().copied().filter(|s| *s > 0.0)?;
            Some(Series::line(name, spectrum(pick(p)?, scale)))
        };
        drawn.iter().filter_map(one).collect()
    };
    plot(page, "Between classes: centred class means", "relative to the largest", of(|p| Some(&p.between)));
    plot(page, "Within classes", "relative to the largest between classes", of(|p| p.within.as_deref()));
    plot(
        page,
        "Classifier",
        "relative to the largest between classes",
        of(|p| Some(&p.classifier).filter(|c| !c.is_empty()).map(Vec::as_slice)),
    );
}

fn reading(page: &mut Page, convention: Convention) {
    page.section("Notation");
    let rows: Vec<Vec<Cell>> = [
        ("K, N, d", "classes, samples, dimension of the features"),
        ("h̄_k, M", "mean of class k; the matrix of class means"),
        (
            "M̃",
            match convention {
                Convention::Papyan | Convention::Rangamani => "class means less the mean of all samples",
                _ => "class means less their mean",
            },
        ),
        ("S_W", "within-class covariance, the mean of (h − h̄_k)(h − h̄_k)ᵀ over samples"),
        ("S_B", "between-class covariance, M̃M̃ᵀ/K; S_B⁺ its pseudoinverse, of rank r = min(d, K − 1)"),
        ("sᵢ, uᵢ", "singular values of M̃ and its left singular vectors"),
        ("W, b, h_G", "classifier, its bias, and the centre that M̃ is taken about"),
        ("P", "I − 11ᵀ/K, the projection that takes away the mean"),
        ("v_k", "mean of ‖h − h̄_k‖² over class k; in gnc2 the direction of a vector"),
    ]
    .map(|(symbol, meaning)| vec![Cell::Text(symbol.into()), Cell::Text(meaning.into())])
    .into();
    page.table("Symbols of the formulas", &["symbol", "meaning"], &rows);
    page.paragraph(&format!(
        "Convention {}: what nc1, nc3 and the centre mean; every other name means the same under all conventions. {}",
        convention.name(),
        if convention == Convention::Normalized {
            "Features and the classifier's rows were scaled to norm one."
        } else {
            "Features were taken as given."
        }
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_drawn_are_spread_and_keep_both_ends() {
        assert_eq!(drawn_entries(1), [0]);
        assert_eq!(drawn_entries(3), [0, 1, 2]);
        assert_eq!(drawn_entries(101), [0, 20, 40, 60, 80, 100]);
    }

    #[test]
    fn epochs_are_the_last_digits_of_a_name() {
        assert_eq!(epoch("epoch_0010"), Some(10.0));
        assert_eq!(epoch("run2-\u{e9}7.features"), Some(7.0));
        assert_eq!(epoch("12"), Some(12.0));
        assert_eq!(epoch("last"), None);
    }
}
