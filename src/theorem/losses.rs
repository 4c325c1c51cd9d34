//! Label smoothing, focal and pick-all-labels; one dual matrix for all losses; imbalance with a free bias and under cross-entropy.

use rug::{Float, Integer, Rational};

use super::claims::{
    F64_STRUCTURE, LOST_DIGITS, NOT_BELOW, NUMERICAL, OPTIMALITY, Outcome, SIMPLEX, STATIONARITY, STRUCTURE, VALUE, undecided,
};
use super::instance::{Instance, power_of_tenth};
use super::registry::{classes, plain, predict};
use super::{Claim, Finding, Theorem, Trust};
use crate::certify::{CertifyOptions, certify_with, minimiser_distances};
use crate::problem::{Dyadic, Problem};

/// Focal loss: the contrastive bound is the minimum of one function, enclosed, and the minimiser attains it.
const CONTRASTIVE: Claim = Claim {
    name: "global optimality",
    statement: "The closed-form minimiser's enclosed objective is within the digits asked of the contrastive lower bound, which holds for every point and \
                d (min over the margin of one function); the independent checker accepts the certificate.",
    check: OPTIMALITY.check,
};

const FOCAL_NUMERICAL: Claim = Claim {
    name: "numerical minimiser",
    statement: "Free-feature minimisation from random starts ends at points whose enclosed objective is within 1e-12 of the contrastive lower bound; the checker accepts.",
    check: NUMERICAL.check,
};

/// The matrix that proves cross-entropy's minimum proves the others'.
const SHARED: Claim = Claim {
    name: "shared dual certificate",
    statement: "The dual matrix of cross-entropy's certificate rounded to a multiple of I - J/K, the same integers, certifies the closed-form minimisers of cross-entropy, MSE with free bias, label \
                smoothing (alpha = 0.1) with the same classes and weights, and of the focal loss (gamma = 2) to the digits asked; the independent checker accepts each.",
    check: shared,
};

fn shared(i: &Instance) -> Outcome {
    let Some(dual) = i.predicted().and_then(|c| c.dual.as_ref()).map(multiple) else { return undecided("unsupported: no dual matrix") };
    let options = CertifyOptions { digits: i.digits, ..Default::default() };
    let mut worst = Float::new(64);
    for loss in ["\"ce\"", "\"mse\"", "\"label-smoothing\"\nsmoothing = \"0.1\"", "\"focal\"\nfocusing = \"2\""] {
        let file = i.file.replace("\"ce\"", loss);
        let Ok(problem) = Problem::from_toml(&file) else { return undecided("unsupported: problem") };
        let Some(p) = predict(&problem, super::instance::bits(i.digits)) else { return undecided("unsupported: no closed form") };
        let Ok(c) = certify_with(&problem, file.as_bytes(), &p.minimiser, &options, Some(&dual)) else {
            return undecided("unsupported: loss");
        };
        let Some(b) = &c.bounds else { return undecided("precision: the matrix proves nothing for this loss") };
        let accepted = c.text.as_ref().is_some_and(|text| {
            let outcome = ufm_check::check(file.as_bytes(), text.as_bytes());
            text.contains("kind gap") && matches!(outcome, ufm_check::Outcome::Verified(_))
        });
        worst.max_mut(&b.gap);
        if !accepted {
            return (Some(worst), Finding::Undecided(format!("checker: no gap certificate accepted for {loss}")));
        }
    }
    let small = worst.to_rational().is_some_and(|w| w <= power_of_tenth(i.digits - LOST_DIGITS));
    let finding = if small { Finding::Proved } else { Finding::Undecided("precision: the matrix leaves a gap".into()) };
    (Some(worst), finding)
}

/// The largest −t (K I − J) with t at most the matrix's entries off the diagonal: their average has no larger norm.
fn multiple(dual: &Dyadic) -> Dyadic {
    let k = dual.rows;
    let off = |i: &usize| !i.is_multiple_of(k + 1);
    let t = (0..k * k).filter(off).map(|i| &dual.m[i]).min().cloned().unwrap_or_default();
    let diagonal = -Integer::from(&t * (k as u64 - 1));
    Dyadic { m: (0..k * k).map(|i| if off(&i) { &t } else { &diagonal }.clone()).collect(), ..*dual }
}

/// h_S is parallel to the sum of the tags' single-tag features (or classifier rows).
const TAG_AVERAGE: Claim = Claim {
    name: "tag-wise average",
    statement: "At every numerical minimiser the mean feature of a tag set is a multiple of the sum of its tags' classifier rows, hence of its tags' \
                single-tag means: largest distance from such a multiple relative to the mean (absolute below size one), measured.",
    check: tag_average,
};

fn tag_average(i: &Instance) -> Outcome {
    let groups = i.problem.labels.groups();
    let k = i.problem.classes() as usize;
    let mut worst = 0.0f64;
    for n in i.numerical() {
        let (w, h) = (&n.solution.point.factors[0], &n.solution.point.h);
        let d = h.nrows();
        let mut first = 0;
        for group in &groups {
            let samples = first..first + group.count as usize;
            first = samples.end;
            if group.tags.len() == k {
                continue;
            }
            let mean: Vec<f64> = (0..d).map(|t| samples.clone().map(|j| h[(t, j)]).sum::<f64>() / group.count as f64).collect();
            let sum: Vec<f64> = (0..d).map(|t| group.tags.iter().map(|&c| w[(c, t)]).sum()).collect();
            let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
            let (mm, ss, ms) = (dot(&mean, &mean), dot(&sum, &sum), dot(&mean, &sum));
            // Absolute below size one: in the zero regime both vanish.
            let multiple = if ss > 0.0 { (ms / ss).max(0.0) } else { 0.0 };
            let off: Vec<f64> = mean.iter().zip(&sum).map(|(m, s)| m - multiple * s).collect();
            worst = worst.max((dot(&off, &off) / mm.max(1.0)).sqrt());
        }
    }
    let finding = match worst <= F64_STRUCTURE {
        true if !i.numerical().is_empty() => Finding::Proved,
        false => Finding::Refuted(format!("a tag set's mean deviates from its tags' sum by {worst:.2e}")),
        _ => Finding::Undecided("unsupported: no minimiser".into()),
    };
    (Some(Float::with_val(64, worst)), finding)
}

/// The two smallest classes collapse into one, or stay apart: exactly, at every minimiser.
const MERGED: Claim = Claim {
    name: "minority collapse",
    statement: "At every global minimum, proved from the dual optimum enclosed about a numerical one: the two smallest classes' means and rows are one, exactly,                 or their squared distance is enclosed away from zero; for equal sizes n the former when n <= N^2 lambda_W lambda_H and the latter when not.",
    check: merged,
};

fn merged(i: &Instance) -> Outcome {
    let Some(counts) = i.problem.class_counts() else { return undecided("unsupported: labels") };
    let last = counts.len() - 1;
    let lambdas = i.problem.lambdas();
    let radius = Rational::from(lambdas[0] * lambdas[1]) * Rational::from(i.problem.samples()).square();
    let expected = (counts[last - 1] == counts[last]).then(|| radius >= counts[last]);
    let mut worst = Float::new(64);
    for numerical in i.numerical() {
        let Ok(found) = minimiser_distances(&i.problem, &numerical.exact, &[(last - 1, last)], &CertifyOptions::default()) else {
            return undecided("unsupported: no certificate");
        };
        let apart = found[0].squared.is_positive();
        if !apart {
            worst.max_mut(&found[0].squared.upper());
        }
        if !found[0].collapsed && !apart {
            return (Some(worst), Finding::Undecided("precision: neither collapsed nor enclosed away from zero".into()));
        }
        if expected.is_some_and(|dead| dead != found[0].collapsed) {
            return (Some(worst), Finding::Refuted("the threshold is not where two equally large classes collapse".into()));
        }
    }
    if i.numerical().is_empty() { undecided("unsupported: no minimiser") } else { (Some(worst), Finding::Proved) }
}

fn focal(focusing: &str, bias: &str, labels: &str, dim: u32, lambda_w: &str, lambda_h: &str) -> String {
    plain(&format!("focal\"\nfocusing = \"{focusing}"), bias, labels, dim, lambda_w, lambda_h)
}

fn smoothed(smoothing: &str, bias: &str, labels: &str, dim: u32, lambda_w: &str, lambda_h: &str) -> String {
    plain(&format!("label-smoothing\"\nsmoothing = \"{smoothing}"), bias, labels, dim, lambda_w, lambda_h)
}

fn tagged(bias: &str, labels: &str, dim: u32, lambda_w: &str, lambda_h: &str) -> String {
    plain("pick-all-labels", bias, labels, dim, lambda_w, lambda_h).replace("\"plain\"", "\"multi-label\"")
}

pub(super) fn theorems() -> Vec<Theorem> {
    vec![
        Theorem {
            id: "label-smoothing-simplex-etf",
            statement: "Label smoothing, balanced, any bias mode, d >= K - 1: the minimisers are simplex ETFs with target probability \
                        p = 1 - alpha + alpha/K - (K-1)c/K and margin log(p (K-1)/(1-p)) for c + alpha < 1, and zero otherwise.",
            source: "Zhou et al., NeurIPS 2022 (arXiv 2210.02192)",
            hypotheses: "plain model, label-smoothing, balanced, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                smoothed("0.1", "free", &classes(4, 10), 8, "0.005", "0.001"),
                smoothed("0.3", "none", &classes(3, 4), 2, "0.01", "0.02"),
                smoothed("0.05", "regularized 0.1", &classes(5, 2), 6, "0.02", "0.01"),
                // c + alpha >= 1.
                smoothed("0.9", "free", &classes(3, 1), 3, "0.1", "0.1"),
            ],
            predict,
        },
        Theorem {
            id: "losses-created-equal",
            statement: "While c is small cross-entropy, label smoothing and MSE with free bias have one dual certificate, G = -(c/N) (I - J/K) Y: the \
                        losses share their minimisers' geometry because the same matrix proves each of them.",
            source: "Zhou et al., NeurIPS 2022 (arXiv 2210.02192), made one matrix",
            hypotheses: "plain model, bias free, balanced, d >= K - 1, c < 1 - alpha",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![SHARED],
            problems: vec![
                plain("ce", "free", &classes(4, 5), 5, "0.005", "0.001"),
                plain("ce", "free", &classes(3, 2), 2, "0.05", "0.02"),
                plain("ce", "free", &classes(10, 2), 12, "0.002", "0.003"),
            ],
            predict,
        },
        Theorem {
            id: "focal-simplex-etf",
            statement: "Focal loss (gamma >= 0), balanced, d >= K - 1: the global minimum is that of one function of the margin, \
                        FL(p(a)) + (K-1)c a/K over a >= 0, attained at simplex ETFs; the margin can jump to zero.",
            source: "Zhou et al., NeurIPS 2022 (arXiv 2210.02192); the contrastive bound without bias and for min(kappa, S(1/K)) <= 1",
            hypotheses: "plain model, focal, balanced, d >= K - 1; bias none, or min(kappa, S(1/K)) <= 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, CONTRASTIVE, FOCAL_NUMERICAL, STRUCTURE],
            problems: vec![
                focal("2", "none", &classes(4, 3), 5, "0.01", "0.02"),
                focal("3", "free", &classes(3, 2), 2, "0.02", "0.01"),
                focal("1.5", "regularized 0.2", &classes(5, 2), 5, "0.01", "0.01"),
                // Beyond the threshold: zero.
                focal("2", "none", &classes(3, 1), 3, "0.6", "0.6"),
            ],
            predict,
        },
        Theorem {
            id: "focal-large-kappa",
            statement: "Focal loss with a bias and min(kappa, S(1/K)) > 1: the same value and minimisers. No proof is known for this range; the lower bound \
                        is not claimed.",
            source: "Zhou et al., NeurIPS 2022 (arXiv 2210.02192)",
            hypotheses: "plain model, focal, bias free or regularized, balanced; no point below the value (an assumption: searched, never presumed)",
            conditional: true,
            trust: Trust::Measured,
            claims: vec![VALUE, STATIONARITY, SIMPLEX, NOT_BELOW],
            // kappa = 0.9 c = 1.008 > 1 and S(1/10) = 1.017.
            problems: vec![focal("1", "free", &classes(10, 1), 10, "0.112", "0.112")],
            predict,
        },
        Theorem {
            id: "pick-all-labels",
            statement: "Multi-label pick-all-labels, balanced within each multiplicity, any bias mode, d >= K - 1: W is a simplex ETF, features of a tag \
                        set coincide and are scaled tag-wise averages, logits a_m (I - J/K) 1_S.",
            source: "Li et al., ICML 2024 (arXiv 2310.15903)",
            hypotheses: "multi-label model, balanced within each multiplicity, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NUMERICAL, STRUCTURE, TAG_AVERAGE],
            problems: vec![
                tagged("free", "classes = 4\nper_tag_set = { 1 = 3, 2 = 2 }", 5, "0.005", "0.004"),
                tagged("none", "classes = 3\nper_tag_set = { 1 = 2, 2 = 1, 3 = 2 }", 2, "0.01", "0.02"),
                tagged("regularized 0.1", "classes = 4\nper_tag_set = { 2 = 1, 3 = 1 }", 4, "0.01", "0.01"),
                // Zero regime.
                tagged("free", "classes = 3\nper_tag_set = { 1 = 1, 2 = 1 }", 3, "0.4", "0.4"),
            ],
            predict,
        },
        Theorem {
            id: "mse-free-imbalanced",
            statement: "MSE with free bias, any class sizes, d >= K - 1: the minimum soft-thresholds the singular values of Y (I - 11^T/N) at N mu.",
            source: "Tirer and Bruna, ICML 2022 (arXiv 2202.08087) for balanced classes; Dang et al., ICML 2023 (arXiv 2301.00437)",
            hypotheses: "plain model, mse, bias free, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![VALUE, STATIONARITY, OPTIMALITY, NUMERICAL, STRUCTURE],
            problems: vec![
                plain("mse", "free", "class_counts = [7, 5, 2, 1]", 6, "0.01", "0.02"),
                plain("mse", "free", "class_counts = [6, 6, 2]", 2, "0.05", "0.05"),
                // Modes die: (N mu)^2 = 2.25.
                plain("mse", "free", "class_counts = [7, 5, 2, 1]", 4, "0.1", "0.1"),
            ],
            predict,
        },
        Theorem {
            id: "ce-minority-collapse",
            statement: "Cross-entropy with any class sizes: two classes of equal size n collapse into one mean and one classifier row at every global \
                        minimum exactly when n <= N^2 lambda_W lambda_H, the threshold of MSE without bias; classes of different sizes where both vanish.",
            source: "Fang et al., PNAS 2021 (minority collapse); Hong and Ling, arXiv 2309.09725 (thresholds)",
            hypotheses: "plain model, ce, d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![MERGED],
            problems: vec![
                plain("ce", "none", "class_counts = [20, 20, 1, 1]", 5, "0.03", "0.03"),
                plain("ce", "free", "class_counts = [20, 20, 1, 1]", 5, "0.03", "0.03"),
                plain("ce", "none", "class_counts = [12, 9, 2, 2]", 4, "0.07", "0.06"),
                // Apart: N mu = 0.42.
                plain("ce", "none", "class_counts = [20, 20, 1, 1]", 5, "0.01", "0.01"),
                plain("ce", "free", "class_counts = [12, 9, 2, 2]", 4, "0.01", "0.02"),
                // Different sizes: both vanish, and stay apart.
                plain("ce", "none", "class_counts = [20, 20, 2, 1]", 5, "0.09", "0.09"),
                plain("ce", "none", "class_counts = [12, 9, 2, 1]", 4, "0.07", "0.06"),
            ],
            predict,
        },
    ]
}
