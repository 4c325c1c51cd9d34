(** The gate: the axioms of every headline theorem.  `make -C proofs` compares the
    answers with assumptions.txt. *)
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
From UFM Require Import MseModes MseBalanced MseImbalanced Exponential Softmax CrossEntropy Reals.
From UFM Require Import TagSets Sphere Contrastive Focal PickAllLabels.
From UFM Require Import MseSingular NuclearNorm ExtendedThreshold ExtendedRelu CreatedEqual.
From UFM Require Import ExtendedLinear Saddles LeastSquares Quantitative.
From UFM Require Import CertificateNumbers CertificateBound CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.

(* The collapse identity *)
Print Assumptions collapse_identity.
Print Assumptions collapse_lower.
Print Assumptions collapse_gap.
Print Assumptions collapse_iff.
Print Assumptions collapse_minimisers.
Print Assumptions collapse_attained.
Print Assumptions psd_or_negative.
Print Assumptions gram_factor.
Print Assumptions common_zeros_iff.
Print Assumptions aligned_nuclear_norm.
(* Balanced MSE *)
Print Assumptions mse_orthogonal_frame_lower.
Print Assumptions mse_orthogonal_frame_iff.
Print Assumptions mse_orthogonal_frame_attained.
Print Assumptions mse_orthogonal_frame_minimisers.
Print Assumptions mse_orthogonal_frame_needs_dim.
Print Assumptions mse_orthogonal_frame_zero.
Print Assumptions mse_simplex_etf_lower.
Print Assumptions mse_simplex_etf_iff.
Print Assumptions mse_simplex_etf_attained.
Print Assumptions mse_simplex_etf_minimisers.
Print Assumptions mse_simplex_etf_needs_dim.
Print Assumptions mse_simplex_etf_zero.
Print Assumptions mse_transition_lower.
Print Assumptions mse_transition_iff.
Print Assumptions mse_transition_attained.
Print Assumptions mse_transition_minimisers.
Print Assumptions mse_transition_etf.
(* Imbalanced MSE *)
Print Assumptions mse_minority_lower.
Print Assumptions mse_minority_iff.
Print Assumptions mse_minority_attained.
Print Assumptions mse_minority_minimisers.
Print Assumptions minority_collapse.
Print Assumptions singular_certificate.
Print Assumptions mse_singular_lower.
Print Assumptions mse_singular_iff.
Print Assumptions mse_singular_attained.
(* From a gap to collapse *)
Print Assumptions mse_gap_terms.
Print Assumptions mse_gap_bounds.
Print Assumptions mse_gap_gram.
Print Assumptions gap_within_class.
Print Assumptions gap_alignment.
(* Three factors *)
Print Assumptions extended_linear_root.
Print Assumptions extended_linear_lower.
Print Assumptions extended_linear_attained.
Print Assumptions extended_linear_iff.
Print Assumptions extended_linear_zero.
Print Assumptions extended_linear_zero_iff.
Print Assumptions extended_linear_tie.
Print Assumptions extended_relu_lower.
Print Assumptions extended_relu_frame.
Print Assumptions extended_relu_attained.
(* Landscape *)
Print Assumptions critical_global.
Print Assumptions critical_saddle.
Print Assumptions dichotomy.
Print Assumptions dichotomy_centred.
Print Assumptions mse_dichotomy.
(* Least-squares classifier *)
Print Assumptions ridge_excess.
Print Assumptions ls_minimiser.
Print Assumptions lsb_minimiser.
(* Softmax losses *)
Print Assumptions softmax_subgradient.
Print Assumptions softmax_bregman_eq0.
Print Assumptions ce_lower.
Print Assumptions ce_simplex_etf_iff.
Print Assumptions ce_simplex_etf_attained.
Print Assumptions ce_simplex_etf_minimisers.
Print Assumptions ce_simplex_etf_needs_dim.
Print Assumptions ce_zero.
Print Assumptions losses_created_equal.
(* Normalised features *)
Print Assumptions sphere_lower.
Print Assumptions sphere_simplex_etf_iff.
Print Assumptions sphere_simplex_etf_attained.
Print Assumptions sphere_simplex_etf_needs_dim.
Print Assumptions sphere_simplex_etf_minimisers.
(* Contrastive losses: focal *)
Print Assumptions contrastive_lower.
Print Assumptions contrastive_iff.
Print Assumptions contrastive_attained.
Print Assumptions contrastive_minimisers.
Print Assumptions contrastive_needs_dim.
Print Assumptions supported_certificate.
Print Assumptions supported_lower.
Print Assumptions supported_iff.
Print Assumptions supported_attained.
Print Assumptions supported_minimisers.
Print Assumptions target_loss_contrastive.
Print Assumptions focal_lower.
Print Assumptions focal_simplex_etf_iff.
Print Assumptions focal_simplex_etf_attained.
Print Assumptions focal_simplex_etf_minimisers.
Print Assumptions focal_simplex_etf_needs_dim.
Print Assumptions focal_biased_lower.
Print Assumptions focal_biased_minimisers.
(* Pick-all-labels *)
Print Assumptions tag_gram.
Print Assumptions pal_certificate.
Print Assumptions pick_all_labels_lower.
Print Assumptions pick_all_labels_iff.
Print Assumptions pick_all_labels_attained.
Print Assumptions pick_all_labels_minimisers.
Print Assumptions pick_all_labels_needs_dim.
Print Assumptions pal_within_class.
Print Assumptions pal_tag_average.
(* Certificates: what the checker accepts holds *)
Print Assumptions weak_duality.
Print Assumptions sizes_exist.
Print Assumptions mse_lower_sound.
Print Assumptions mse_upper_sound.
Print Assumptions exp_belowP.
Print Assumptions lse_dual.
Print Assumptions softmax_lower_sound.
Print Assumptions softmax_upper_sound.
Print Assumptions mse_lower_claim.
Print Assumptions ce_lower_claim.
Print Assumptions smoothing_lower_claim.
Print Assumptions tags_lower_claim.
Print Assumptions gap_sound.
(* Instances over the reals of Coq's standard library *)
Print Assumptions ce_simplex_etf_minimisers_R.
Print Assumptions ce_simplex_etf_attained_R.
