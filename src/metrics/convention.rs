//! The papers' conventions by name.

use super::moments::Centre;

/// Whose definitions the names `nc1` and `nc3`, and the centre of the class means, follow. Every other name means the same
/// everywhere.
///
/// | name | centre of M̃ | features | `nc1` | `nc3` |
/// |---|---|---|---|---|
/// | `zhu` | mean of class means | as given | `tr(S_W S_B⁺)/K` | `‖WM̃/‖WM̃‖ − P/√(K−1)‖` |
/// | `papyan` | mean of all samples | as given | `tr(S_W S_B⁺)`, no 1/K | `‖Wᵀ/‖W‖ − M̃/‖M̃‖‖²` |
/// | `tirer-bruna` | mean of class means | as given | `tr(S_W S_B⁺)/K` | `‖WM/‖WM‖ − I/√K‖`, M uncentred |
/// | `gnc` | mean of class means | as given | the CDNV | mean over classes of `1 − cos(w_k, h̄_k)`; adds `gnc2` |
/// | `rangamani` | mean of all samples | as given | `tr(S_W S_B⁺)`, no 1/K | `nc3_overlap`, 1 at collapse: mean cosine of the principal angles between span M̃ and the r leading right singular vectors of W |
/// | `normalized` | mean of class means | and rows of W scaled to norm one | `tr(S_W S_B⁺)/K` | as `zhu` |
///
/// The centres agree when classes are balanced, as all these papers assume.
///
/// Source: Zhu et al., *NeurIPS* (2021); Papyan, Han and Donoho, *PNAS* 117 (2020); Tirer and Bruna, *ICML* (2022); Jiang et al.,
/// arXiv 2310.05351; Rangamani et al., *ICML* (2023); Yaras et al., *NeurIPS* (2022).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Convention {
    /// Zhu et al., 2021.
    #[default]
    Zhu,
    /// Papyan, Han and Donoho, 2020.
    Papyan,
    /// Tirer and Bruna, 2022.
    TirerBruna,
    /// Generalized neural collapse, Jiang et al., 2023.
    Gnc,
    /// Rangamani et al., 2023.
    Rangamani,
    /// Features on the sphere, Yaras et al., 2022.
    Normalized,
}

impl Convention {
    /// All conventions with their names.
    pub const ALL: [(&'static str, Convention); 6] = [
        ("papyan", Convention::Papyan),
        ("zhu", Convention::Zhu),
        ("tirer-bruna", Convention::TirerBruna),
        ("gnc", Convention::Gnc),
        ("rangamani", Convention::Rangamani),
        ("normalized", Convention::Normalized),
    ];

    /// The convention of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, c)| *c == self).map_or("", |(n, _)| n)
    }

    /// Whether its NC1 has the factor 1/K.
    pub(crate) fn divides_by_classes(self) -> bool {
        !matches!(self, Convention::Papyan | Convention::Rangamani)
    }

    pub(crate) fn centre(self) -> Centre {
        match self {
            Convention::Papyan | Convention::Rangamani => Centre::Samples,
            _ => Centre::Classes,
        }
    }
}
