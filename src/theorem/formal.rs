//! What proofs/theory has of each theorem: Coq lemmas, their axioms, and what they leave open.

/// The machine-checked side of a theorem of the registry.
///
/// Guarantee: every lemma is one whose axioms `make -C proofs` printed and compared with proofs/theory/assumptions.txt (a test reads
/// that file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formal {
    pub coverage: Coverage,
    /// Names in proofs/theory.
    pub lemmas: &'static [&'static str],
    /// What the lemmas leave open, or why there are none; empty when nothing is.
    pub open: &'static str,
    /// Kinds of certificates that back the instances (proofs/FORMAT.md), and whether they exist as Coq files.
    pub certificate: &'static str,
    /// Test files, beside tests/theorems.rs, that check the theorem on generated or hard instances.
    pub tests: &'static [&'static str],
}

/// How much of a theorem's statement its lemmas prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of it, for all sizes.
    Statement,
    /// A part.
    Part,
    /// Nothing.
    Unproved,
}

/// The gate's list: lemma, then `closed` or its axioms.
const GATE: &str = include_str!("../../proofs/theory/assumptions.txt");

/// The axioms of a lemma of proofs/theory, none for a closed one; `None` when the gate does not know the name.
///
/// ```
/// assert_eq!(ufm::theorem::axioms("collapse_identity"), Some(vec![]));
/// assert_eq!(ufm::theorem::axioms("collapse_identity_of_nothing"), None);
/// ```
pub fn axioms(lemma: &str) -> Option<Vec<&'static str>> {
    let text = GATE.lines().find_map(|line| line.strip_prefix(lemma)?.strip_prefix(": "))?;
    Some(text.strip_prefix("axioms").map_or(vec![], |axioms| axioms.split_whitespace().collect()))
}

impl Formal {
    /// `none` when every lemma is closed, otherwise the axioms, each once.
    pub fn axioms(&self) -> Vec<&'static str> {
        let mut all: Vec<&str> = self.lemmas.iter().filter_map(|l| axioms(l)).flatten().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

const GAP: &str = "gap (checker; Coq file)";

/// The machine-checked side of the theorem with an id; `None` for an id the registry does not have.
pub fn formal(id: &str) -> Option<Formal> {
    use Coverage::{Part, Statement, Unproved};
    let entry = |coverage, lemmas, open, certificate, tests| Some(Formal { coverage, lemmas, open, certificate, tests });
    match id {
        "collapse-identity" => entry(
            Statement,
            &["collapse_identity", "collapse_lower", "collapse_gap", "collapse_iff", "collapse_minimisers", "collapse_attained"],
            "",
            GAP,
            &["certificates"],
        ),
        "mse-orthogonal-frame" => entry(
            Statement,
            &[
                "mse_orthogonal_frame_lower",
                "mse_orthogonal_frame_iff",
                "mse_orthogonal_frame_attained",
                "mse_orthogonal_frame_minimisers",
                "mse_orthogonal_frame_needs_dim",
                "mse_orthogonal_frame_zero",
            ],
            "",
            GAP,
            &["closed_form", "certificates"],
        ),
        "mse-simplex-etf" => entry(
            Statement,
            &[
                "mse_simplex_etf_lower",
                "mse_simplex_etf_iff",
                "mse_simplex_etf_attained",
                "mse_simplex_etf_minimisers",
                "mse_simplex_etf_needs_dim",
                "mse_simplex_etf_zero",
            ],
            "",
            GAP,
            &["closed_form", "certificates"],
        ),
        "mse-transition" => entry(
            Statement,
            &["mse_transition_lower", "mse_transition_iff", "mse_transition_attained", "mse_transition_minimisers", "mse_transition_etf"],
            "the limit of a growing lambda_b is read off the formula, not a lemma of its own",
            GAP,
            &["closed_form", "certificates"],
        ),
        "mse-minority-collapse" => entry(
            Statement,
            &["mse_minority_lower", "mse_minority_iff", "mse_minority_attained", "mse_minority_minimisers", "minority_collapse"],
            "",
            GAP,
            &["closed_form", "certificates"],
        ),
        "mse-low-dimension" => entry(
            Unproved,
            &[],
            "not written: von Neumann's trace inequality, which needs singular values of any matrix",
            "modes (checker)",
            &["modes", "refine"],
        ),
        "ce-simplex-etf" => entry(Statement, CE, "", GAP, &["closed_form", "certificates"]),
        "label-smoothing-simplex-etf" => entry(Statement, CE, "", GAP, &["closed_form", "models"]),
        "sphere-simplex-etf" => entry(
            Part,
            &[
                "sphere_lower",
                "sphere_simplex_etf_iff",
                "sphere_simplex_etf_attained",
                "sphere_simplex_etf_minimisers",
                "sphere_simplex_etf_needs_dim",
            ],
            "that every other critical point is a strict saddle for d > K",
            "gap, strict-saddle (checker)",
            &["sphere"],
        ),
        "extended-linear" => entry(
            Statement,
            &[
                "extended_linear_root",
                "extended_linear_lower",
                "extended_linear_attained",
                "extended_linear_iff",
                "extended_linear_zero",
                "extended_linear_zero_iff",
                "extended_linear_tie",
            ],
            "",
            "gap (checker)",
            &["deep"],
        ),
        "deep-linear" => entry(
            Unproved,
            &[],
            "any number of factors needs Schatten quasi-norms (Horn's inequality), which MathComp 1.15 does not have; three factors are \
             extended-linear",
            "gap (checker)",
            &["deep"],
        ),
        "deep-linear-minority-collapse" => entry(
            Unproved,
            &[],
            "as deep-linear: needs Schatten quasi-norms, which MathComp 1.15 does not have",
            "gap (checker)",
            &["deep"],
        ),
        "extended-relu" => entry(
            Statement,
            &["extended_relu_lower", "extended_relu_frame", "extended_relu_attained"],
            "under the theorem's own assumption on nuclear norms, which no proof supplies",
            "none",
            &["deep"],
        ),
        "least-squares-classifier" => entry(
            Part,
            &["ridge_excess", "ls_minimiser", "lsb_minimiser"],
            "that the model's own W at a critical point is this minimiser",
            "none: exact rational identities",
            &["classifier"],
        ),
        "deep-relu-not-collapsed" => entry(
            Unproved,
            &[],
            "a claim about three instances: the checker evaluates their points exactly",
            "below (checker)",
            &["deep", "cli_hunt"],
        ),
        "deep-relu-graph-family" => {
            entry(Unproved, &[], "not written; the checker evaluates the instances' points exactly", "below (checker)", &["deep"])
        }
        "losses-created-equal" => entry(Statement, &["losses_created_equal"], "", GAP, &["models"]),
        "focal-simplex-etf" => entry(
            Part,
            &[
                "focal_lower",
                "focal_simplex_etf_iff",
                "focal_simplex_etf_attained",
                "focal_simplex_etf_minimisers",
                "focal_simplex_etf_needs_dim",
                "focal_biased_lower",
                "focal_biased_minimisers",
            ],
            "with a bias the lemmas assume a supporting line of the margin's function, which min(kappa, S(1/K)) <= 1 is not shown to give",
            "gap (checker)",
            &["focal", "models"],
        ),
        "focal-large-kappa" => entry(Unproved, &[], "no proof is known for this range", "none", &["models"]),
        "pick-all-labels" => entry(
            Part,
            &[
                "pick_all_labels_lower",
                "pick_all_labels_iff",
                "pick_all_labels_attained",
                "pick_all_labels_minimisers",
                "pick_all_labels_needs_dim",
                "pal_within_class",
                "pal_tag_average",
                "pal_margins_zero",
                "pal_margins_single",
            ],
            "that the scalar system of the margins has a solution, which the program encloses",
            GAP,
            &["models"],
        ),
        "mse-free-imbalanced" => entry(
            Part,
            &["singular_certificate", "mse_singular_lower", "mse_singular_iff", "mse_singular_attained"],
            "the existence of the singular value decomposition, which is taken as data",
            GAP,
            &["models"],
        ),
        "ce-minority-collapse" => entry(Unproved, &[], "not written: the threshold for two classes of equal size", GAP, &["models"]),
        "strict-saddles" => entry(
            Part,
            &["critical_global", "critical_saddle", "dichotomy", "dichotomy_centred", "mse_dichotomy"],
            "the list of all critical points and the number of negative eigenvalues",
            "gap, strict-saddle (checker)",
            &["certificates"],
        ),
        "descent-to-collapse" => entry(
            Part,
            &["collapse_gap", "gap_within_class", "gap_alignment", "mse_gap_terms", "mse_gap_bounds", "mse_gap_gram"],
            "within-class variability for unbalanced classes",
            GAP,
            &["certificates"],
        ),
        _ => None,
    }
}

/// With label smoothing s; s = 0 is cross-entropy.
const CE: &[&str] = &[
    "ce_lower",
    "ce_simplex_etf_iff",
    "ce_simplex_etf_attained",
    "ce_simplex_etf_minimisers",
    "ce_simplex_etf_needs_dim",
    "ce_zero",
    "ce_simplex_etf_minimisers_R",
    "ce_simplex_etf_attained_R",
];
