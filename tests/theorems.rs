//! The registry: the theorems hold on their grids, a wrong one is refuted with a witness, and the ledger does not drift.

use ufm::{
    closed_form::closed_form,
    problem::Problem,
    scalar::{Ball, Rational},
    theorem::{Coverage, Finding, Prediction, Theorem, Trust, axioms, formal, ledger, registry},
};

fn theorem(id: &str) -> Theorem {
    registry().into_iter().find(|t| t.id == id).unwrap()
}

#[test]
fn every_theorem_holds_on_its_grid() {
    for t in registry() {
        let report = t.verify(30, &mut || {}).unwrap();
        assert_eq!(report.finding, Finding::Proved, "{}", t.id);
        assert!(report.claims.iter().all(|c| c.instances == t.problems.len()));
    }
}

/// The bias-free problem with the free-bias theorem's prediction: a simplex ETF and its value.
fn etf_without_bias(problem: &Problem, prec: u32) -> Option<Prediction> {
    let mut wrong = problem.clone();
    wrong.bias = ufm::problem::Bias::Free;
    let form = closed_form(&wrong).ok()?;
    let mut minimiser = form.minimiser(&wrong, prec).ok()?;
    minimiser.b = None;
    Some(Prediction { f_star: form.f_star(prec), minimiser })
}

#[test]
fn a_wrong_theorem_is_refuted_with_a_witness() {
    // "Without bias, MSE's minimisers are simplex ETFs": false, they are orthogonal frames.
    let wrong = Theorem { predict: etf_without_bias, ..theorem("mse-orthogonal-frame") };
    let report = wrong.verify(30, &mut || {}).unwrap();
    let Finding::Refuted(witness) = &report.finding else { panic!("{:?}", report.finding) };
    assert!(witness.contains("model=\"plain\""), "{witness}");
    for name in ["value", "orthogonal frame", "global optimality", "numerical minimiser", "structure"] {
        let claim = report.claims.iter().find(|c| c.claim == name).unwrap();
        assert!(matches!(claim.finding, Finding::Refuted(_)), "{name}: {:?}", claim.finding);
    }
}

/// The right point with a value too low by one part in 10^15: no floating-point test would see it.
fn slightly_low(problem: &Problem, prec: u32) -> Option<Prediction> {
    let form = closed_form(problem).ok()?;
    let shift = Ball::from_rational(&(Rational::from(1) - Rational::from((1, 1_000_000_000_000_000u64))), prec);
    Some(Prediction { f_star: form.f_star(prec) * shift, minimiser: form.minimiser(problem, prec).ok()? })
}

#[test]
fn a_value_wrong_in_the_fifteenth_digit_is_refuted() {
    for id in ["mse-simplex-etf", "ce-simplex-etf", "extended-linear"] {
        let report = Theorem { predict: slightly_low, ..theorem(id) }.verify(30, &mut || {}).unwrap();
        assert!(matches!(report.finding, Finding::Refuted(_)), "{id}: {:?}", report.finding);
    }
}

/// Lemmas exist in the gate's list, tests exist, nothing is proved without lemmas, and reasons are given where something is open.
#[test]
fn every_theorem_is_linked_to_lemmas_or_says_why_not() {
    for t in registry() {
        let f = formal(t.id).unwrap_or_else(|| panic!("{} has no entry", t.id));
        for lemma in f.lemmas {
            let axioms = axioms(lemma).unwrap_or_else(|| panic!("{}: the gate does not know {lemma}", t.id));
            assert!(axioms.is_empty() || lemma.ends_with("_R"), "{lemma}: {axioms:?}");
        }
        for test in f.tests {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(test);
            assert!(path.with_extension("rs").exists() || path.join("main.rs").exists(), "{}: {}", t.id, path.display());
        }
        assert_eq!(f.coverage == Coverage::Unproved, f.lemmas.is_empty(), "{}", t.id);
        assert!(f.coverage == Coverage::Statement || !f.open.is_empty(), "{} says nothing about what is open", t.id);
        let proved = f.coverage == Coverage::Statement && !t.conditional;
        assert_eq!(t.trust == Trust::MachineChecked, proved, "{}", t.id);
    }
    assert!(formal("no-such-theorem").is_none());
}

/// UFM_BLESS=1 rewrites the file.
#[test]
fn the_ledger_does_not_drift() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proofs/README.md");
    if std::env::var_os("UFM_BLESS").is_some() {
        std::fs::write(path, ledger()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), ledger(), "run with UFM_BLESS=1");
}
