//! Conventions, names, pictures; collapse itself.

use ufm::metrics::{Classifier, Convention, Features, formula, measure, measure_and_draw};

use crate::check::{check, synthetic, within};
use crate::definitions::Data;
use crate::linear::real;

/// Rounding of pictures of a few entries below 1: 64 u.
const DRAWN: f64 = 32.0 * f64::EPSILON;
/// A distance whose square is known up to rounding is known up to its root.
const ROOT: f64 = 1e-8;

/// Every metric of every convention, balanced and not, fewer and more classes than dimensions.
#[test]
fn conventions_on_moderate_data() {
    for (k, d) in [(7, 9), (6, 4), (5, 4)] {
        let balanced = synthetic(k, d, 6, 3.0, 0.5, 0.4, 6);
        let mut imbalanced = balanced.clone();
        let keep = |i: usize| i % 6 <= (i / 6) % 4;
        imbalanced.rows = balanced.rows.chunks(d).enumerate().filter(|(i, _)| keep(*i)).flat_map(|(_, row)| row.to_vec()).collect();
        imbalanced.labels = balanced.labels.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, l)| *l).collect();
        for (_, convention) in Convention::ALL {
            check(&balanced, convention);
            check(&imbalanced, convention);
            let measured = imbalanced.measure(convention);
            assert!(measured.get("nc1").is_some() && measured.get("nc3").is_some());
            assert!(measured.warnings.iter().any(|w| w.contains("imbalanced")));
        }
    }
}

#[test]
fn every_metric_has_a_formula() {
    let data = synthetic(5, 6, 4, 2.0, 0.1, 0.3, 1);
    for (_, convention) in Convention::ALL {
        for (name, _) in data.measure(convention).metrics {
            assert!(formula(name, convention).is_some(), "{name}");
        }
    }
    assert_eq!(formula("nc5", Convention::Zhu), None);
}

/// Pictures and spectra of a frame at collapse: the targets themselves.
#[test]
fn portraits_show_collapse() {
    let (k, d) = (6, 8);
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - if j < k { 1.0 / k as f64 } else { 0.0 };
    let frame: Vec<f64> = (0..k * d).map(|t| entry(t / d, t % d)).collect();
    let features = Features::from_rows([frame.clone(), frame.clone()].concat(), d).unwrap();
    let labels: Vec<u32> = (0..2 * k as u32).map(|i| i % k as u32).collect();
    let classifier = Classifier { weights: frame, bias: vec![0.0; k] };
    for side in [64, 4] {
        let (measured, portrait) = measure_and_draw(&features, &labels, Some(&classifier), Convention::Zhu, &|_, _| (), side).unwrap();
        assert_eq!(measured.metrics, measure(&features, &labels, Some(&classifier), Convention::Zhu, &|_, _| ()).unwrap().metrics);
        assert_eq!(portrait.pictures.iter().map(|p| p.targets.len()).collect::<Vec<_>>(), [1, 1, 2, 1]);
        for picture in &portrait.pictures {
            let (_, target) = &picture.targets[0];
            assert_eq!(picture.matrix.nrows(), side.min(k));
            let frame_of_means = picture.name != "M\u{1d40}M";
            assert_eq!((&picture.matrix - target).norm_l2() < DRAWN, frame_of_means, "{}", picture.name);
        }
        assert_eq!(portrait.between.len(), k - 1);
        assert!(portrait.between.iter().all(|s| (s - 1.0 / (k as f64).sqrt()).abs() < DRAWN));
        assert!(portrait.within.unwrap().is_empty(), "no variability within classes");
        assert_eq!(portrait.classifier.len(), k);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let data = synthetic(70, 150, 40, 10.0, 1.0, 0.9, 7);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| data.measure(Convention::Gnc).metrics)
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn collapse_itself() {
    // Simplex frame in three dimensions: every sample on its mean, W aligned.
    let frame = [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]];
    let rows: Vec<f64> = frame.iter().flat_map(|v| [*v, *v, *v].concat()).collect();
    let labels = (0..12).map(|i| i / 3).collect();
    let classifier = Classifier { weights: frame.concat(), bias: vec![0.0; 4] };
    let data = Data { rows, labels, dim: 3, classifier: Some(classifier) };
    let m = data.measure(Convention::Gnc);
    for zero in ["nc1_quotient", "cdnv", "nc4", "ncc_error", "bias_alignment"] {
        assert_eq!(m.get(zero).unwrap().value, 0.0, "{zero}");
    }
    assert_eq!(data.measure(Convention::Zhu).get("nc1").unwrap().value, 0.0);
    for (name, exact) in [
        ("nc2_etf", 0.0),
        ("nc2_etf_w", 0.0),
        ("nc3_etf", 0.0),
        ("nc3_align", 0.0),
        ("equinorm_means", 0.0),
        ("equiangle_means", 0.0),
        ("stable_rank_means", 3.0),
        ("effective_rank_means", 3.0),
        ("condition_means", 1.0),
    ] {
        within(name, m.get(name), &real(exact));
    }
    for name in ["gnc2_means", "gnc2_w"] {
        within(name, m.get(name), &(real(4.0) / 3.0));
        assert!(m.get(name).unwrap().bound < ROOT);
    }
}

#[test]
fn coincident_means_are_undefined_with_a_reason() {
    let data = Data { rows: vec![1.0, 3.0, 1.0, 3.0, 5.0, 7.0], labels: vec![0, 0, 1, 1, 2, 2], dim: 1, classifier: None };
    let m = data.measure(Convention::Zhu);
    assert!(m.get("cdnv").is_none() && m.warnings.iter().any(|w| w.starts_with("cdnv")));
    let flat = Data { rows: vec![0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0], labels: vec![0, 1, 2, 0], dim: 2, classifier: None };
    let m = flat.measure(Convention::Zhu);
    assert!(m.get("nc1").is_none() && m.warnings.iter().any(|w| w.starts_with("nc1 is undefined")), "{:?}", m.warnings);
}
