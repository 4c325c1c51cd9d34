//! The formula of each metric by name.

use super::convention::Convention;

const NC1: &str = "tr(S_W S_B⁺)/K = Σ_{i≤r} uᵢᵀ S_W uᵢ/sᵢ²";
const NC1_SUM: &str = "tr(S_W S_B⁺) = K Σ_{i≤r} uᵢᵀ S_W uᵢ/sᵢ²";
const CDNV: &str = "mean over pairs of (vᵢ + vⱼ)/(2‖h̄ᵢ − h̄ⱼ‖²)";
const NC3_ETF: &str = "‖WM̃/‖WM̃‖ − P/√(K−1)‖_F";
const NC3_OF: &str = "‖WM/‖WM‖ − I/√K‖_F";
const NC3_ALIGN: &str = "‖Wᵀ/‖W‖ − M̃/‖M̃‖‖_F²";
const NC3_COS: &str = "mean over classes of 1 − cos(w_k, h̄_k)";
const NC3_OVERLAP: &str =
    "mean cosine of the principal angles between span M̃ and the r leading right singular vectors of W (1 at collapse)";

/// The formula of a metric under a convention, in the notation of [`measure`](super::measure()); `None` for names that are no metrics.
///
/// ```
/// use ufm::metrics::{Convention, formula};
/// assert_eq!(formula("nc1_quotient", Convention::Zhu), Some("tr S_W/tr S_B"));
/// ```
pub fn formula(name: &str, convention: Convention) -> Option<&'static str> {
    Some(match name {
        "nc1" => match convention {
            Convention::Zhu | Convention::TirerBruna | Convention::Normalized => NC1,
            Convention::Papyan | Convention::Rangamani => NC1_SUM,
            Convention::Gnc => CDNV,
        },
        "nc1_quotient" => "tr S_W/tr S_B",
        "cdnv" => CDNV,
        "condition_means" => "s₁/s_r of M̃",
        "nc2_etf" | "nc2_etf_means" => "‖G/‖G‖ − P/√(K−1)‖_F, G = M̃ᵀM̃",
        "nc2_etf_w" => "‖G/‖G‖ − P/√(K−1)‖_F, G = WWᵀ",
        "nc2_of" | "nc2_of_means" => "‖G/‖G‖ − I/√K‖_F, G = MᵀM",
        "nc2_of_w" => "‖G/‖G‖ − I/√K‖_F, G = WWᵀ",
        "equinorm_means" => "standard deviation over mean of the norms of M̃'s columns",
        "equinorm_w" => "standard deviation over mean of the norms of W's rows",
        "equiangle_means" => "mean over pairs of |cos + 1/(K−1)|, columns of M̃",
        "equiangle_w" => "mean over pairs of |cos + 1/(K−1)|, rows of W",
        "stable_rank_means" => "‖M̃‖_F²/‖M̃‖²",
        "effective_rank_means" => "exp(−Σ pᵢ ln pᵢ), pᵢ = sᵢ/Σ s",
        "gnc2_means" => "min over k of dist(v_k, conv{vⱼ : j ≠ k}), v the directions of M̃'s columns",
        "gnc2_w" => "min over k of dist(v_k, conv{vⱼ : j ≠ k}), v the directions of W's rows",
        "nc3" => match convention {
            Convention::Zhu | Convention::Normalized => NC3_ETF,
            Convention::TirerBruna => NC3_OF,
            Convention::Papyan => NC3_ALIGN,
            Convention::Gnc => NC3_COS,
            Convention::Rangamani => NC3_OVERLAP,
        },
        "nc3_etf" => NC3_ETF,
        "nc3_of" => NC3_OF,
        "nc3_align" => NC3_ALIGN,
        "nc3_align_uncentred" => "‖Wᵀ/‖W‖ − M/‖M‖‖_F²",
        "nc3_cos" => NC3_COS,
        "nc3_overlap" => NC3_OVERLAP,
        "bias_alignment" => "‖P(W h_G + b)‖",
        "bias_alignment_raw" => "‖W h_G + b‖",
        "nc4" => "fraction where argmax(Wh + b) and the nearest class mean differ",
        "ncc_error" => "fraction whose nearest class mean is not the label's",
        "classifier_error" => "fraction where argmax(Wh + b) is not the label",
        _ => return None,
    })
}
