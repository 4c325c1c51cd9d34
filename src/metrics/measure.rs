//! All metrics of labelled features, from one pass over them, or two where NC4 needs it.

use super::accumulate::Accumulator;
use super::agreement::Agreement;
use super::bounded::{Bounded, gamma};
use super::convention::Convention;
use super::duality::{alignment, bias_alignment, cosine_distance, nc3, overlap};
use super::geometry::{Target, geometry};
use super::moments::Moments;
use super::portrait::Portrait;
use super::read::{FeatureError, Features};
use super::rows::Rows;
use super::separation::{MAX_CLASSES, one_vs_rest};
use super::variability::{Spectrum, condition, effective_rank, nc1, stable_rank};
use crate::linalg::vector::{self, sum_squares_block, vectorised};

/// Rows read at a time, for each row's 8 d bytes: about 4 MiB a block, which caches hold until it is summed.
const BLOCK_BYTES: usize = 4 << 20;
/// Sizes of means, classifier and samples within which no product overflows, and underflow is far below every bound.
const SMALLEST: f64 = 1e-100;
const LARGEST: f64 = 1e100;
/// Relative error bound of a metric above which the user is warned.
const UNSUPPORTED: f64 = 1e-3;
/// Within-class deviations below this many units in the last place of the features' type are its rounding noise.
const NOISE_ULPS: f64 = 4.0;

/// A linear classifier `h ↦ W h + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// W (K, d), row by row.
    pub weights: Vec<f64>,
    /// b (K); zeros when the model has none.
    pub bias: Vec<f64>,
}

/// A metric's name and value; `None` where it is undefined, for a reason among the warnings.
pub type Metric = (&'static str, Option<Bounded>);

/// Metrics of one set of features.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Number of classes K.
    pub classes: usize,
    /// Number of samples N.
    pub samples: u64,
    /// Dimension d.
    pub dim: usize,
    /// The convention followed.
    pub convention: Convention,
    /// What the data cannot support, in plain words.
    pub warnings: Vec<String>,
    /// The metrics in a fixed order.
    pub metrics: Vec<Metric>,
    pub(crate) mean_directions: Option<Spectrum>,
}

impl Measured {
    /// The metric of that name, when it is defined.
    pub fn get(&self, name: &str) -> Option<Bounded> {
        self.metrics.iter().find(|(n, _)| *n == name).and_then(|(_, value)| *value)
    }
}

/// How often the reader is told how far the work is: rows read, of rows to read in all passes so far known.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

/// Measures features with their labels, and a classifier when there is one.
///
/// Formulas, M the class means, M̃ the means less their centre (by [`Convention`]), W, b the classifier, P = I − 1 1ᵀ/K:
///
/// | name | formula |
/// |---|---|
/// | `nc1` | `tr(S_W S_B⁺)/K = Σ_{i<=r} u_iᵀ S_W u_i / s_i²`, s_i, u_i of the thin SVD of M̃, r = min(d, K−1); by convention without 1/K, or the CDNV |
/// | `nc1_quotient` | `tr S_W / tr S_B` |
/// | `cdnv` | mean over pairs of `(v_i + v_j)/(2‖h̄_i − h̄_j‖²)`, `v_k` the mean of `‖h − h̄_k‖²` |
/// | `condition_means` | `s_1/s_r` of M̃ |
/// | `nc2_etf`, `nc2_etf_w` | `‖G/‖G‖ − P/√(K−1)‖_F`, G the Gram matrix of M̃, of the rows of W |
/// | `nc2_of`, `nc2_of_w` | `‖G/‖G‖ − I/√K‖_F`, G the Gram matrix of M (uncentred), of the rows of W |
/// | `equinorm_means`, `_w` | population standard deviation over mean of the norms of M̃'s columns, of W's rows |
/// | `equiangle_means`, `_w` | mean over pairs of `|cos + 1/(K−1)|` |
/// | `stable_rank_means` | `‖M̃‖_F²/‖M̃‖²` |
/// | `effective_rank_means` | `exp(−Σ p_i ln p_i)`, `p_i = s_i/Σ s` |
/// | `nc3` | by convention: see there |
/// | `nc3_etf`, `nc3_of` | `‖WM̃/‖WM̃‖ − P/√(K−1)‖_F`, `‖WM/‖WM‖ − I/√K‖_F` |
/// | `nc3_align`, `nc3_align_uncentred` | `‖Wᵀ/‖W‖ − M̃/‖M̃‖‖_F²`, the same with M |
/// | `nc3_cos` | mean over classes of `1 − cos(w_k, h̄_k)` |
/// | `nc3_overlap` | mean cosine of the principal angles between span M̃ and the r leading right singular vectors of W; 1 at collapse (convention `rangamani`) |
/// | `bias_alignment`, `bias_alignment_raw` | `‖P(W h_G + b)‖`, `‖W h_G + b‖`, h_G the centre |
/// | `nc4` | fraction of samples on which argmax(W h + b) and the nearest class mean differ; of classes exactly tied the lowest |
/// | `ncc_error`, `classifier_error` | fraction whose nearest class mean, whose argmax, is not the label |
/// | `gnc2_means`, `gnc2_w` | `min_k dist(v_k, conv{v_j : j ≠ k})`, v the directions of M̃, of W's rows (convention `gnc`) |
///
/// Guarantee: `|value − exact| <= bound`, exact for the data as given (for f32 features, the f32 numbers). The fractions `nc4`,
/// `ncc_error` and `classifier_error` count exactly, near-ties decided in rational arithmetic by two more passes over the data, but
/// under the convention `normalized`, whose features are irrational, and where near-ties are too many (2^22 candidate classes, 2^30
/// products, 2^20 entries of class means): those are counted in the bound, with a warning. Same bytes for any number of threads. Memory O(Kd + d²) and blocks of 4 MiB beyond the features.
///
/// # Errors
/// [`FeatureError`] when the features cannot be read, hold a number that is not finite, a class has no samples, there are fewer
/// than two classes, or shapes disagree.
///
/// ```
/// use ufm::metrics::{Convention, Features, measure};
/// let features = Features::from_rows(vec![2.0, 0.0, 2.0, 0.5, 0.0, 2.0, 0.5, 2.0], 2).unwrap();
/// let m = measure(&features, &[0, 0, 1, 1], None, Convention::Zhu, &|_, _| ()).unwrap();
/// let nc1 = m.get("nc1").unwrap();
/// assert!((nc1.value - 1.0 / 98.0).abs() <= nc1.bound);
/// ```
pub fn measure(
    features: &Features,
    labels: &[u32],
    classifier: Option<&Classifier>,
    convention: Convention,
    progress: Progress<'_>,
) -> Result<Measured, FeatureError> {
    measure_with(features, labels, classifier, convention, progress, None).map(|(measured, _)| measured)
}

/// [`measure`], and a portrait whose pictures have at most `side` cells along a side.
///
/// # Errors
/// Those of [`measure`].
pub fn measure_and_draw(
    features: &Features,
    labels: &[u32],
    classifier: Option<&Classifier>,
    convention: Convention,
    progress: Progress<'_>,
    side: usize,
) -> Result<(Measured, Portrait), FeatureError> {
    let (measured, portrait) = measure_with(features, labels, classifier, convention, progress, Some(side))?;
    let portrait = portrait.ok_or_else(|| FeatureError::Shape("no portrait".into()))?;
    Ok((measured, portrait))
}

fn measure_with(
    features: &Features,
    labels: &[u32],
    classifier: Option<&Classifier>,
    convention: Convention,
    progress: Progress<'_>,
    side: Option<usize>,
) -> Result<(Measured, Option<Portrait>), FeatureError> {
    let (n, d) = (features.samples(), features.dim());
    if labels.len() as u64 != n {
        return Err(FeatureError::Shape(format!("{} labels for {n} samples", labels.len())));
    }
    let classes = classes_of(labels)?;
    if let Some(c) = classifier {
        check_classifier(c, classes, d)?;
    }
    let normalized = convention == Convention::Normalized;
    let mut accumulator = Accumulator::new(classes, d);
    let row_error = if normalized { unit_error(d) } else { 0.0 };
    let mut largest = 0.0f64;
    each_block(features, labels, normalized, &|_| true, |rows, labels, done| {
        largest = vector::largest(rows).max(largest);
        accumulator.update_inexact(rows, labels, row_error);
        progress(done, n);
    })?;
    let moments = accumulator.finish().ok_or_else(|| FeatureError::Shape("a class without samples".into()))?;

    let mut out = Collector::default();
    let classifier = classifier.map(|c| (classifier_rows(c, d, normalized), c.bias.as_slice()));
    warn_counts(&moments, &mut out);
    warn_precision(&moments, features.epsilon(), &mut out);
    let extremes = classifier.iter().flat_map(|(w, _)| w.sizes.iter().copied()).fold(largest, f64::max);
    if !(extremes <= LARGEST && (extremes >= SMALLEST || extremes == 0.0)) {
        return Err(FeatureError::Shape(format!(
            "entries as large as {extremes:.1e}: metrics are computed for largest entries from {SMALLEST:e} to {LARGEST:e}; rescale"
        )));
    }
    let centred = moments.centred_means(convention.centre());
    let plain = moments.plain_means();
    let spectrum = Spectrum::new(&centred, d.min(classes - 1));
    let geometry_of_means = geometry(&centred, Some(&moments.variances));
    let trace = moments.within_trace() / (centred.square() / Bounded::exact(classes as f64));
    let ratio = match &spectrum {
        None => Err("the singular value decomposition of the class means failed".to_owned()),
        Some(s) => nc1(&moments, s),
    };
    let cdnv = geometry_of_means.cdnv;
    match convention {
        Convention::Gnc => out.push("nc1", cdnv),
        _ => match ratio {
            Ok(value) => {
                out.push("nc1", Some(if convention.divides_by_classes() { value } else { value * Bounded::exact(classes as f64) }))
            }
            Err(why) => {
                out.warnings.push(format!("nc1 is undefined: {why}"));
                out.metrics.push(("nc1", None));
            }
        },
    }
    out.push("nc1_quotient", Some(trace));
    out.push("cdnv", cdnv);
    out.push("condition_means", spectrum.as_ref().map(condition));
    out.push("nc2_etf", Some(geometry_of_means.etf));
    out.push("nc2_of", Some(geometry(&plain, None).of));
    out.push("equinorm_means", Some(geometry_of_means.equinorm));
    out.push("equiangle_means", Some(geometry_of_means.equiangle));
    out.push("stable_rank_means", spectrum.as_ref().map(|s| stable_rank(&centred, s)));
    out.push("effective_rank_means", spectrum.as_ref().map(effective_rank));
    if convention == Convention::Gnc {
        separation("gnc2_means", &centred, &mut out);
    }
    if let Some((w, bias)) = &classifier {
        let frame = geometry(w, None);
        out.push("nc2_etf_w", Some(frame.etf));
        out.push("nc2_of_w", Some(frame.of));
        out.push("equinorm_w", Some(frame.equinorm));
        out.push("equiangle_w", Some(frame.equiangle));
        let (etf, of) = (nc3(w, &centred, Target::Simplex), nc3(w, &plain, Target::Orthogonal));
        let (align, cosines) = (alignment(w, &centred), cosine_distance(w, &plain));
        let shared = if convention == Convention::Rangamani { spectrum.as_ref().and_then(|s| overlap(w, s)) } else { None };
        out.push(
            "nc3",
            match convention {
                Convention::Zhu | Convention::Normalized => Some(etf),
                Convention::TirerBruna => Some(of),
                Convention::Papyan => Some(align),
                Convention::Gnc => Some(cosines),
                Convention::Rangamani => shared,
            },
        );
        out.push("nc3_etf", Some(etf));
        out.push("nc3_of", Some(of));
        out.push("nc3_align", Some(align));
        out.push("nc3_align_uncentred", Some(alignment(w, &plain)));
        out.push("nc3_cos", Some(cosines));
        if convention == Convention::Rangamani {
            out.push("nc3_overlap", shared);
        }
        let (raw, projected) = bias_alignment(w, bias, &moments.centre(convention.centre()));
        out.push("bias_alignment", Some(projected));
        out.push("bias_alignment_raw", Some(raw));
        if convention == Convention::Gnc {
            separation("gnc2_w", w, &mut out);
        }
    }
    let mut agreement = Agreement::new(&moments, &geometry_of_means.gaps, classifier.as_ref().map(|(w, b)| (w, *b)));
    if !agreement.is_decided() {
        let open = agreement.open_classes();
        let concerns = |labels: &[u32]| labels.iter().any(|&label| open[label as usize]);
        each_block(features, labels, normalized, &concerns, |rows, labels, done| {
            agreement.update(rows, labels, done - labels.len() as u64, row_error);
            progress(n + done, 2 * n);
        })?;
        if let Some(mut exact) = agreement.exact_means(&moments) {
            each_block(features, labels, normalized, &|_| true, |rows, labels, done| {
                exact.add(rows, labels);
                progress(2 * n + done, 4 * n);
            })?;
            exact.finish();
            each_block(features, labels, normalized, &|_| true, |rows, labels, done| {
                agreement.settle(&exact, rows, done - labels.len() as u64);
                progress(3 * n + done, 4 * n);
            })?;
        }
    }
    let fractions = agreement.finish(n);
    if let Some(nc4) = fractions.nc4 {
        out.push("nc4", Some(nc4));
    }
    out.push("ncc_error", Some(fractions.ncc_error));
    if let Some(error) = fractions.classifier_error {
        out.push("classifier_error", Some(error));
    }
    if fractions.open > 0 {
        out.warnings.push(format!("{} samples are tied, or closer to a tie than double precision decides", fractions.open));
    }
    if fractions.tied > 0 {
        out.warnings
            .push(format!("{} comparisons of a sample with the classes are exactly tied: the lowest class is taken", fractions.tied));
    }
    let draw = |side| Portrait::new(&moments, &centred, &plain, classifier.as_ref().map(|(w, _)| w), spectrum.as_ref(), side);
    let portrait = side.map(draw);
    let measured =
        Measured { classes, samples: n, dim: d, convention, warnings: out.warnings, metrics: out.metrics, mean_directions: spectrum };
    Ok((measured, portrait))
}

/// Metrics with the warnings their bounds ask for.
#[derive(Default)]
struct Collector {
    metrics: Vec<Metric>,
    warnings: Vec<String>,
}

impl Collector {
    fn push(&mut self, name: &'static str, value: Option<Bounded>) {
        let finite = value.filter(|v| v.is_finite());
        match finite {
            None => self.warnings.push(format!("{name} is undefined: a divisor cannot be told from zero")),
            Some(v) if name == "nc1" && v.value > 0.0 && v.bound > UNSUPPORTED * v.value => self
                .warnings
                .push(format!("{name}: the data cannot support this figure; its error bound is {:.1e} of its value", v.bound / v.value)),
            Some(_) => {}
        }
        self.metrics.push((name, finite));
    }
}

fn separation(name: &'static str, rows: &Rows, out: &mut Collector) {
    if rows.count() > MAX_CLASSES {
        out.warnings.push(format!("{name} is left out: it is computed for at most {MAX_CLASSES} classes"));
    } else {
        out.push(name, one_vs_rest(rows));
    }
}

/// K from labels that leave no class empty.
fn classes_of(labels: &[u32]) -> Result<usize, FeatureError> {
    let n = labels.len();
    let Some(&largest) = labels.iter().max() else { return Err(FeatureError::Shape("no samples".into())) };
    let mut seen = vec![false; n.min(largest as usize + 1)];
    for &label in labels {
        if let Some(s) = seen.get_mut(label as usize) {
            *s = true;
        }
    }
    // K classes with a sample each need K <= N.
    if let Some(empty) = seen.iter().position(|s| !s).or_else(|| (largest as usize >= n).then_some(n)) {
        let reason = format!("class {empty} has no samples (labels go up to {largest}); number the classes 0 to K - 1 without a gap");
        return Err(FeatureError::Labels(reason));
    }
    if seen.len() < 2 {
        return Err(FeatureError::Labels("a single class; at least two are needed".into()));
    }
    Ok(seen.len())
}

fn check_classifier(c: &Classifier, classes: usize, d: usize) -> Result<(), FeatureError> {
    if c.weights.len() != classes * d || c.bias.len() != classes {
        let rows = c.bias.len();
        let shape = format!("({rows}, {})", c.weights.len() / rows.max(1));
        return Err(FeatureError::Shape(format!(
            "W of shape {shape}, but {classes} classes of features of dimension {d} demand ({classes}, {d})"
        )));
    }
    Ok(())
}

/// Error in norm of a computed unit vector `h/‖h‖`: the sum of squares in 32 lanes, its root, the quotients.
fn unit_error(d: usize) -> f64 {
    gamma(d / 32 + 16)
}

fn normalize(row: &mut [f64]) -> bool {
    // Scaled by a power of two so that no square under- or overflows.
    let largest = row.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    if largest == 0.0 {
        return false;
    }
    let scale = 2f64.powi(-(largest.log2().floor() as i32).clamp(-1000, 1000));
    row.iter_mut().for_each(|x| *x *= scale);
    let square = vectorised(
        #[inline(always)]
        || sum_squares_block(row),
    );
    let norm = square.sqrt();
    row.iter_mut().for_each(|x| *x /= norm);
    true
}

fn classifier_rows(c: &Classifier, d: usize, normalized: bool) -> Rows {
    if !normalized {
        return Rows::exact(c.weights.clone(), d);
    }
    let mut data = c.weights.clone();
    let errors = data.chunks_mut(d).map(|row| if normalize(row) { unit_error(d) } else { 0.0 }).collect();
    Rows::new(data, d, errors)
}

fn each_block(
    features: &Features,
    labels: &[u32],
    normalized: bool,
    wanted: &dyn Fn(&[u32]) -> bool,
    mut visit: impl FnMut(&[f64], &[u32], u64),
) -> Result<(), FeatureError> {
    let d = features.dim();
    let wanted = |first: u64, count: usize| wanted(&labels[first as usize..][..count]);
    features.for_each_wanted((BLOCK_BYTES / 8 / d).clamp(1, 1 << 14), &wanted, &mut |block, first| {
        if normalized {
            for (row, at) in block.chunks_mut(d).zip(first..) {
                if !normalize(row) {
                    return Err(FeatureError::Shape(format!("sample {at} is zero: it cannot be normalized")));
                }
            }
        }
        let count = block.len() / d;
        visit(block, &labels[first as usize..][..count], first + count as u64);
        Ok(())
    })
}

fn warn_counts(moments: &Moments, out: &mut Collector) {
    let single = moments.counts.iter().filter(|&&n| n == 1).count();
    if single > 0 {
        out.warnings
            .push(format!("{single} of {} classes have a single sample: no within-class variability shows there", moments.classes()));
    }
    let least = moments.counts.iter().min().zip(moments.counts.iter().max());
    if let Some((least, most)) = least.filter(|(a, b)| a != b) {
        out.warnings.push(format!("classes are imbalanced ({least} to {most} samples): conventions differ in the centre of the means"));
    }
}

fn warn_precision(moments: &Moments, epsilon: f64, out: &mut Collector) {
    let within = moments.within_trace().upper().max(0.0).sqrt();
    let size = moments.plain_means().square().upper().max(0.0).sqrt() / (moments.classes() as f64).sqrt();
    if within > 0.0 && within < NOISE_ULPS * epsilon * size {
        let digits = if epsilon > 1e-5 {
            "half"
        } else if epsilon > 1e-10 {
            "single"
        } else {
            "double"
        };
        out.warnings.push(format!(
            "within-class deviations ({within:.1e}) are at the rounding of {digits}-precision features of size {size:.1e}: nc1 and cdnv measure that rounding"
        ));
    }
}
