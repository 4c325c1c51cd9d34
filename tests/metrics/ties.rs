//! Decisions between classes: ties, near ties, samples that bounds leave open.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ufm::metrics::{Classifier, Convention};

use crate::check::{check, counted, synthetic, within};
use crate::definitions::Data;
use crate::linear::real;

#[test]
fn ties_go_to_the_lowest_class() {
    // h = 1 is midway between the means 0 and 2: of class 0 and right, of class 1 and wrong.
    let tie = Data { rows: vec![-1.0, 1.0, 1.0, 3.0], labels: vec![0, 0, 1, 1], dim: 1, classifier: None };
    check(&tie, Convention::Zhu);
    let m = tie.measure(Convention::Zhu);
    within("ncc_error", m.get("ncc_error"), &(real(1.0) / 4.0));
    counted(&m);
    assert!(m.warnings.iter().any(|w| w.starts_with("2 comparisons") && w.contains("tied")), "{:?}", m.warnings);
    // Thirds are no doubles: means ±1/3 of three samples each, and 0 midway, in both classes.
    let rows = vec![-1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    let thirds = Data { rows, labels: vec![0, 0, 0, 1, 1, 1], dim: 1, classifier: None };
    within("ncc_error", thirds.measure(Convention::Zhu).get("ncc_error"), &(real(1.0) / 3.0));
    counted(&thirds.measure(Convention::Zhu));
    // Equal weights, and equal scores of different weights.
    let classifier = Classifier { weights: vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0], bias: vec![0.0; 3] };
    let rows = vec![3.0, 3.0, 3.0, 1.0, 0.0, 5.0, 0.0, 5.0, -4.0, 0.0, -4.0, 0.0];
    let tied = Data { rows, labels: vec![0, 0, 1, 1, 2, 2], dim: 2, classifier: Some(classifier) };
    check(&tied, Convention::Zhu);
    counted(&tied.measure(Convention::Zhu));
}

/// Samples moved off a tie by amounts down to the last place: the order of exact sums, which doubles cannot see.
#[test]
fn near_ties_are_decided_exactly() {
    let tiny = 2f64.powi(-60);
    for nudge in [0.0, tiny, -tiny, 2f64.powi(-200), -2f64.powi(-200)] {
        // The mean of class 1 is 2 + nudge/2; h = 1 is nearer to the mean 0 when nudge > 0, tied at 0.
        let rows = vec![-1.0, 1.0, 3.0 - 2f64.powi(-40), 1.0 + 2f64.powi(-40), nudge, 4.0];
        let data = Data { rows, labels: vec![0, 0, 1, 1, 1, 1], dim: 1, classifier: None };
        check(&data, Convention::Zhu);
        counted(&data.measure(Convention::Zhu));
        // Scores x·1 against x·1 + nudge.
        let classifier = Classifier { weights: vec![1.0, 1.0], bias: vec![0.0, nudge] };
        let data = Data { rows: vec![1.0, 1.5, 7.0, 6.0], labels: vec![0, 0, 1, 1], dim: 1, classifier: Some(classifier) };
        check(&data, Convention::Zhu);
        let m = data.measure(Convention::Zhu);
        counted(&m);
        within("classifier_error", m.get("classifier_error"), &(real(1.0) / 2.0));
        within("nc4", m.get("nc4"), &(real(1.0) / 2.0));
    }
}

#[test]
fn samples_that_bounds_do_not_decide() {
    let mut data = synthetic(12, 10, 60, 2.0, 0.3, 1.2, 8);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let c = data.classifier.as_mut().unwrap();
    c.weights.iter_mut().for_each(|w| *w += 0.1 * (rng.random::<f64>() - 0.5));
    check(&data, Convention::Zhu);
    assert!(data.measure(Convention::Zhu).get("nc4").unwrap().value > 0.05, "the case is not trivial");
}
