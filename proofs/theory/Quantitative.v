(** From a gap to collapse: f - f* <= eps bounds within-class variability, alignment,
    fit and the error of the Gram matrix.  Balanced MSE without bias, c <= 1. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
From UFM Require Import MseModes MseBalanced.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Quantitative.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation f := (fun W H => ufm (mse Y) lw lh NoBias W H 0).
Hypothesis c1 : c <= 1.
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let lhN : lh != 0. Proof. by rewrite gt_eqF. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let lwt : lw * t = c / K%:R. Proof. by rewrite (reg_cE K n0 lw0 lh0) mulrAC mulfV // mul1r. Qed.

(** The three terms of the collapse identity, written with the class means. *)
Theorem mse_gap_terms (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) :
  f W H - (c - c ^+ 2 / 2%:R)
  = (2%:R * N%:R)^-1 * sqF (W *m H - (1 - c) *: Y)
    + lw / 2%:R * sqF (W - t *: (Hbar H)^T)
    + lh / 2%:R * sqF (H - Hbar H *m Y).
Proof.
have cross : frob (W *m H) Y = n%:R * frob W (Hbar H)^T.
  rewrite frob_mull -frob_tr trmx_mul trmxK (mulmx_onehot_tr lab n0) frobZr.
  by rewrite -frob_tr trmxK.
have hY : frob H (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite frobC frob_mull (mulmx_onehot_tr lab n0) frobZr.
have nY : sqF (Hbar H *m Y) = n%:R * sqF (Hbar H).
  by rewrite /sqF frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
have tt : lw * t ^+ 2 = n%:R * lh by rewrite (dual_scale_sqr n0 lw0 lh0); field.
have cE : c = K%:R * (lw * t) := reg_cE K n0 lw0 lh0.
rewrite /ufm /mse mul0mx addr0 sqF0 mulr0 addr0 ![sqF (W *m H - _)]sqFB.
rewrite [sqF (W - _)]sqFB [sqF (H - _)]sqFB !frobZr !sqFZ (sqF_onehot R bal) cross hY nY sqF_tr.
have -> : lw / 2%:R * (sqF W - 2%:R * (t * frob W (Hbar H)^T) + t ^+ 2 * sqF (Hbar H))
  = lw / 2%:R * sqF W - (lw * t) * frob W (Hbar H)^T + (lw * t ^+ 2) / 2%:R * sqF (Hbar H).
  by field.
rewrite tt lwt NE.
move: (sqF W) (sqF H) (sqF (W *m H)) (frob W _) (sqF (Hbar H)) => p q r u v.
by move: c (K%:R : R) KN (n%:R : R) nN => g k kN e eN; field; rewrite kN eN.
Qed.

(** Each is at most the gap, so within-class variability, alignment and fit are
    O(gap). *)
Theorem mse_gap_bounds (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) eps :
  f W H - (c - c ^+ 2 / 2%:R) <= eps ->
  [/\ sqF (W *m H - (1 - c) *: Y) <= 2%:R * N%:R * eps,
      sqF (W - t *: (Hbar H)^T) <= 2%:R / lw * eps
    & sqF (H - Hbar H *m Y) <= 2%:R / lh * eps].
Proof.
rewrite mse_gap_terms => le.
have N0 : 0 < N%:R :> R by rewrite NE mulr_gt0 ?ltr0n.
have i0 : 0 < (2%:R * N%:R)^-1 :> R by rewrite invr_gt0 mulr_gt0 ?N0 ?ltr0n.
have w0 : 0 < lw / 2%:R by rewrite divr_gt0 ?ltr0n.
have h0 : 0 < lh / 2%:R by rewrite divr_gt0 ?ltr0n.
have z : (0 : R) <= 0 by [].
rewrite -[X in X <= eps]addr0 in le.
have [b1 b2 b3 _] := sum4_le (scale_sqF_ge0 _ (ltW i0)) (scale_sqF_ge0 _ (ltW w0))
  (scale_sqF_ge0 _ (ltW h0)) z le.
split.
- by move: b1; rewrite mulrC ler_pdivr_mulr ?mulr_gt0 ?N0 ?ltr0n // mulrC.
- by rewrite -(ler_pmul2l w0); apply: le_trans b2 _; rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
by rewrite -(ler_pmul2l h0); apply: le_trans b3 _; rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
Qed.
End Quantitative.
